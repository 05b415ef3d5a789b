"""scripts/deploy-segments-backend.sh as an operator runs it: whole on this machine and on AWS's stand-ins, and where it has to refuse."""
import json
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT, clean_environment, free_port
from test_terraform import GIVEN, OFFLINE, PLUGINS, needs_terraform


def deploy(folder, *flags, env, root=ROOT, given="", code=0):
    log = folder / "deploy.log"
    with open(log, "wb") as output:
        answer = subprocess.run([root / "scripts/deploy-segments-backend.sh", "--binary", BINARY, *flags], env=env, cwd=folder, input=given.encode(),
                                stdout=output, stderr=output, timeout=900)
    text = log.read_text(errors="replace")
    assert answer.returncode == code, text[-6000:]
    return text


def test_the_whole_of_it_on_this_machine(tmp_path):
    text = deploy(tmp_path, "--local", env=clean_environment(PORT=str(free_port()), SEGMENTS_DATA_DIR=str(tmp_path / "data")))
    assert "everything that was tried works" in text and "FAIL" not in text
    assert "of the OpenAPI document" in text and text.count("\nok ") > 60
    assert not subprocess.run(["pgrep", "-f", str(tmp_path / "data")], capture_output=True).stdout  # nothing goes on


def test_the_whole_of_it_on_stand_ins_of_aws(tmp_path, engines_of_aws, redis_url):
    dynamodb, s3, bucket = engines_of_aws
    env = clean_environment(PORT=str(free_port()), REDIS_URL=redis_url, REDIS_PASSWORD="secret", AWS_REGION=s3.region, AWS_ACCESS_KEY_ID=s3.access_key,
                            AWS_SECRET_ACCESS_KEY=s3.secret_key, AWS_ENDPOINT_URL_S3=s3.endpoint, AWS_BUCKET_NAME=bucket, DYNAMODB_TABLE_NAME="deployed",
                            SEGMENTS_DATA_DIR=str(tmp_path / "data"))
    text = deploy(tmp_path, "--skip-terraform", "--endpoint-url", dynamodb.endpoint, env=env)
    assert "table: made, and as it has to be" in text and "everything that was tried works" in text and "FAIL" not in text


def test_a_service_that_does_not_come_up_is_a_failure(tmp_path):
    text = deploy(tmp_path, "--local", env=clean_environment(PORT=str(free_port()), SEGMENTS_STORE="nonsense"), code=1)
    assert "FAIL  service" in text and "deployed:" not in text


def test_a_service_elsewhere_that_is_not_there_is_a_failure(tmp_path):
    env = clean_environment(SEGMENTS_DEPLOY_PATIENCE="2", SEGMENTS_TOKEN="x.y.z", AWS_REGION="eu-central-1", AWS_ACCESS_KEY_ID="AKIAX", AWS_SECRET_ACCESS_KEY="x",
                            AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")
    text = deploy(tmp_path, "--skip-terraform", "--no-aws-command", "--url", f"http://127.0.0.1:{free_port()}", env=env, code=1)
    assert "FAIL  table" in text or "FAIL  service" in text


def test_endpoints_that_answer_wrongly_are_all_named(tmp_path):
    """Every trial has to be able to fail: the server's answers are not what a caller without a valid token is to get."""
    port, env = free_port(), clean_environment(SEGMENTS_DATA_DIR=str(tmp_path / "data"))
    with open(tmp_path / "serve.log", "wb") as log:
        server = subprocess.Popen([BINARY, "serve"], env={**env, "PORT": str(port)}, stdout=log, stderr=log)
    try:
        subprocess.run(["curl", "-sS", "--retry", "60", "--retry-connrefused", "--retry-delay", "1", "-o", "/dev/null", f"http://127.0.0.1:{port}/health"], check=True, timeout=120)
        answer = subprocess.run([ROOT / "scripts/check_endpoints.sh", f"http://127.0.0.1:{port}"], capture_output=True, text=True, timeout=400,
                                env={**env, "SEGMENTS_TOKEN": "wrong.wrong.wrong", "SEGMENTS_CHECK_PATIENCE": "1"})
    finally:
        server.terminate()
        server.wait(120)
    assert answer.returncode == 1
    routes = json.loads(subprocess.run([BINARY, "openapi"], capture_output=True, text=True, check=True).stdout)["paths"]
    open_to_all = {"/health", "/api/health", "/ready", "/metrics", "/openapi.json", "/docs", "/media/{key}"}
    failures = [line for line in answer.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failures) >= len([route for route in routes if route not in open_to_all]), answer.stdout[-3000:]


@pytest.mark.parametrize("flags", [["--nonsense"], ["--url"], ["--local", "--url", "http://x"]])
def test_a_wrong_call_is_told(tmp_path, flags):
    deploy(tmp_path, *flags, env=clean_environment(), code=2)


# --- Its part with Terraform, on Terraform itself, without AWS ---

@pytest.fixture
def copied(tmp_path):
    """The scripts and terraform/ in a folder of their own, with a provider that calls nobody."""
    root = tmp_path / "copy"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copytree(ROOT / "terraform", root / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    (root / "terraform/offline_override.tf").write_text(OFFLINE)
    (root / "terraform/given.auto.tfvars.json").write_text(json.dumps({**GIVEN, "bucket_exists": True, "redis_url": "rediss://redis.example.org:6379/0"}))
    return root


def state_of(**resources):
    return json.dumps({"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "11111111-2222-3333-4444-555555555555", "outputs": {}, "resources": [
        {"mode": "managed", "type": type, "name": name, "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
         "instances": [{"schema_version": 0, "attributes": {"id": name}}]} for type, name in resources.items()]})


@needs_terraform
@pytest.mark.parametrize("state, flags, said", [
    (state_of(aws_s3_bucket="another", aws_iam_user="app"), ["--yes", "--allow-destroy"], "the plan destroys what holds data, so it is not applied: aws_s3_bucket.another"),
    (state_of(aws_iam_user="app"), ["--yes"], "the plan destroys aws_iam_user.app"),
    (None, [], "the plan was not applied")], ids=["destroys data", "destroys", "no yes"])
def test_a_plan_is_shown_and_not_applied_without_a_yes_or_where_it_destroys(tmp_path, copied, state, flags, said):
    if state:
        (copied / "terraform/terraform.tfstate").write_text(state)
    env = clean_environment(TF_CLI_ARGS_init=f"-plugin-dir={PLUGINS}", TF_CLI_ARGS_plan="-refresh=false", CHECKPOINT_DISABLE="1")
    text = deploy(tmp_path, "--no-aws-command", *flags, env=env, root=copied, given="no\n", code=1)
    assert said in text and "aws_dynamodb_table.segments" in text
