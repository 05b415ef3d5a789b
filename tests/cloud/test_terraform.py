"""terraform/ against the program that runs on it: one truth about the table, the calls and the settings. Everything but the last
three tests reads the files with hcl.py; those ask Terraform itself, with AWS's provider but without AWS, where both are installed:
in PATH, and in the folder SEGMENTS_TEST_TERRAFORM_PLUGINS (default /opt/tf-plugins) as `terraform providers mirror` fills it."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import hcl
from conftest import BINARY, ROOT, S3_PERMISSIONS, clean_environment

FOLDER = ROOT / "terraform"
PLUGINS = pathlib.Path(os.environ.get("SEGMENTS_TEST_TERRAFORM_PLUGINS", "/opt/tf-plugins"))
# What only `segments admin table` asks; those that change a table by the operator's own keys.
ADMIN_CALLS = {"CreateTable", "UpdateTimeToLive", "UpdateContinuousBackups", "DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"}

@pytest.fixture(scope="module")
def blocks():
    found = []
    for path in sorted(FOLDER.glob("*.tf")):
        for block in hcl.read(path.read_text()).blocks:
            block.file = path.name
            found.append(block)
    assert len(found) > 80
    return found


def resources(blocks, type):
    return {block.labels[1]: block for block in blocks if block.type == "resource" and block.labels[0] == type}


def addresses(blocks):
    """What may be referred to, with where it is declared."""
    for block in blocks:
        if block.type == "resource":
            yield tuple(block.labels), block
        elif block.type in ("data", "ephemeral"):
            yield (block.type, *block.labels), block
        elif block.type == "variable":
            yield ("var", *block.labels), block
        elif block.type == "output":
            yield ("output", *block.labels), block
        elif block.type == "locals":
            for name in block.attributes:
                yield ("local", name), block


def expressions(block, own=()):
    """Every expression of a block, with the names that hold within it."""
    if "for_each" in block.attributes and block.type != "dynamic":
        own = (*own, "each")
    if block.type == "dynamic":
        own = (*own, block.labels[0])
    for value in block.attributes.values():
        yield value, own
    for inner in block.blocks:
        yield from expressions(inner, own)


# --- The reader itself: what it accepts it has to have understood ---

@pytest.mark.parametrize("text", [
    'a = "no end', "a = ", "a = [1, 2", "a {", "a = 1 b = 2", 'x "y" {\n a = 1\n a = 2\n}', 'a = "\\q"', "a = <<E\nE\n", "a = { b = 1, b = 2 }",
    "a = 1 +", "a = b.", "}", 'a = "${b"', "a = [for x in y]", "a = (1", "a = 1,"])
def test_the_reader_refuses(text):
    with pytest.raises(hcl.Fault):
        hcl.read(text)


def test_the_reader_reads():
    body = hcl.read("""# first
a = [1, 2.5, "x", true, null]   // second
b = "p-${var.x}-$${no}"
c = var.y == "" ? one([for r in aws_a.b : r.id if r.ok]) : { for k, v in local.m : k => "${v}${each.key}" }
d = merge({
  k = f(data.t.n.attr[0], -1) # third
  "l" : !module.z
}, w)
block "l1" "l2" {
  inner { x = 1 }
}
""")
    assert body.get("a") == [1, 2.5, "x", True, None]
    assert body.attributes["b"].parts[2].plain() == "-${no}"
    assert set(body.attributes["b"].references()) == {("var", "x")}
    assert set(body.attributes["c"].references()) == {("var", "y"), ("aws_a", "b"), ("local", "m"), ("each", "key")}
    assert set(body.attributes["d"].references()) == {("data", "t", "n", "attr"), ("module", "z"), ("w",)}
    assert body.one("block").labels == ["l1", "l2"] and body.one("block").one("inner").get("x") == 1


# --- The files hang together ---

def test_nothing_is_declared_twice(blocks):
    seen = {}
    for address, block in addresses(blocks):
        assert address not in seen, f"{address} in {block.file} and {seen[address]}"
        seen[address] = block.file


def test_every_reference_leads_somewhere_and_everything_declared_is_used(blocks):
    declared = {address for address, _ in addresses(blocks)}
    used, faults = set(), []
    for block in blocks:
        if block.type in ("removed", "terraform", "provider") and block.type != "provider":
            continue
        for value, own in expressions(block):
            for path in value.references():
                if path[0] in own or path == ("self",) or (block.type == "variable" and path[:2] == ("var", block.labels[0])):
                    continue
                if path[0] in ("string", "number", "bool", "list", "map", "object") or path == ("desired_count",):
                    continue  # types, and an attribute's own name in ignore_changes
                length = 3 if path[0] in ("data", "ephemeral") else 2
                if path[:length] not in declared:
                    faults.append(f"{block.file}: {'.'.join(path)}")
                used.add(path[:length])
    assert not faults
    unused = {address for address in declared if address[0] in ("var", "local", "data", "ephemeral")} - used
    assert not unused, unused


def test_variables_and_outputs_say_what_they_are(blocks):
    for block in blocks:
        if block.type in ("variable", "output"):
            assert block.get("description"), block.labels
        if block.type == "variable":
            assert "type" in block.attributes, block.labels
    secret = [block.labels[0] for block in blocks if block.type == "variable" and re.search("token|password$|secret$", block.labels[0])]
    assert all(block.get("sensitive") for block in blocks if block.type == "variable" and block.labels[0] in secret) and secret


def test_versions_are_pinned(blocks):
    settings = next(block for block in blocks if block.type == "terraform")
    assert "required_version" in settings.attributes
    for provider in settings.one("required_providers").attributes.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", provider.plain()["version"])


# --- One truth ---

def test_the_table_is_the_one_that_the_program_makes(blocks):
    shown = subprocess.run([BINARY, "admin", "table", "show"], capture_output=True, text=True, timeout=60, env=clean_environment())
    assert shown.returncode == 0, shown.stderr
    wanted = json.loads(shown.stdout)
    (table,) = resources(blocks, "aws_dynamodb_table").values()
    assert table.get("hash_key") == wanted["hash_key"] and table.get("range_key") == wanted["range_key"]
    assert {one.get("name"): one.get("type") for one in table.all("attribute")} == wanted["attributes"]
    indexes = [{"name": one.get("name"), "hash_key": one.get("hash_key"), "range_key": one.get("range_key"), "projection_type": one.get("projection_type"),
                "non_key_attributes": one.get("non_key_attributes") if "non_key_attributes" in one.attributes else []}
               for one in table.all("global_secondary_index")]
    by_name = lambda index: index["name"]
    order = lambda index: {**index, "non_key_attributes": sorted(index["non_key_attributes"])}
    assert sorted(map(order, indexes), key=by_name) == sorted(map(order, wanted["indexes"]), key=by_name)
    assert table.get("billing_mode") == wanted["billing_mode"]
    assert table.one("server_side_encryption").get("enabled") == wanted["server_side_encryption"]
    assert table.get("deletion_protection_enabled") == wanted["deletion_protection"]
    assert table.one("point_in_time_recovery").get("enabled") == wanted["point_in_time_recovery"]
    assert table.one("ttl").get("enabled") is True and table.one("ttl").get("attribute_name") == wanted["ttl_attribute"]
    known = {"name", "billing_mode", "hash_key", "range_key", "deletion_protection_enabled"}
    assert set(table.attributes) == known, "what this test does not compare"


def test_what_holds_data_is_never_destroyed(blocks):
    for type in ("aws_dynamodb_table", "aws_s3_bucket", "aws_elasticache_replication_group"):
        for block in resources(blocks, type).values():
            assert block.one("lifecycle").get("prevent_destroy") is True, block.labels
    assert resources(blocks, "aws_secretsmanager_secret")["auth"].one("lifecycle").get("prevent_destroy") is True
    removed = [block for block in blocks if block.type == "removed"]
    assert all(block.one("lifecycle").get("destroy") is False for block in removed)
    forgotten = {next(iter(block.attributes["from"].references())) for block in removed}
    assert {("aws_dynamodb_table", "video_metadata"), ("aws_s3_bucket", "video_bucket")} <= forgotten
    declared = {address for address, _ in addresses(blocks)}
    assert not forgotten & declared


def sources(room):
    for path in sorted((ROOT / "src" / room).glob("*.*")):
        if not path.name.endswith(("_test.cc", "_fuzz.cc")) and not path.name.startswith("test_"):
            yield path.read_text()


def actions_of(blocks, document, sid):
    policy = next(block for block in blocks if block.type == "data" and block.labels == ["aws_iam_policy_document", document])
    statements = policy.all("statement") + [block.one("content") for block in policy.all("dynamic")]
    (statement,) = [one for one in statements if one.get("sid") == sid]
    return set(statement.get("actions"))


def test_the_roles_may_make_the_calls_that_are_in_the_sources(blocks):
    """test_permissions.py has a run to compare with; here are the calls that a run may come to once in a year."""
    calls = {call for text in sources("dynamodb") for call in re.findall(
        r'"((?:Batch)?(?:Get|Put|Update|Delete|Write|Describe|Create|List|Transact\w+)(?:Item|Items|Table|TimeToLive|ContinuousBackups)|Query|Scan)"', text)}
    assert {"GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem"} <= calls
    assert actions_of(blocks, "task", "Records") | actions_of(blocks, "task", "EverybodysVideos") == {f"dynamodb:{call}" for call in calls - ADMIN_CALLS}
    assert actions_of(blocks, "admin", "Table") == {f"dynamodb:{call}" for call in calls & ADMIN_CALLS if call.startswith("Describe")}
    # The one index that is ever read as a whole; besides, the earlier service's table, by the statement OldRecords, and all of
    # ours where it is moved elsewhere, by whoever runs that.
    for path in (ROOT / "src/dynamodb").glob("*.cc"):
        if not path.name.endswith("_test.cc") and "migrat" not in path.name and "archive" not in path.name:
            assert re.findall(r"\bScan \w+\{[^}]*", path.read_text()) in ([], ["Scan scan{.index = std::string(by_user_upload)"]), path
    calls = {call for text in sources("s3") for call in re.findall(r'"([A-Z][a-z]+[A-Za-z0-9]+)", "(?:GET|HEAD|PUT|POST|DELETE)"', text)}
    assert {"GetObject", "PutObject", "UploadPart"} <= calls
    assert actions_of(blocks, "task", "Media") | actions_of(blocks, "task", "MediaList") == {f"s3:{S3_PERMISSIONS.get(call, call)}" for call in calls}


def test_single_commands_are_run_as_ecs_takes_them(blocks):
    """What the output admin_task and the operations guide give to `aws ecs run-task`, by AWS's own description of it."""
    import botocore.session
    from botocore.validate import ParamValidator
    asked = botocore.session.get_session().get_service_model("ecs").operation_model("RunTask").input_shape
    (output,) = [block for block in blocks if block.type == "output" and block.labels == ["admin_task"]]
    given = sample_of(output.attributes["value"].parts[1])
    assert not ParamValidator().validate(given, asked).has_errors() and given["launchType"] == "FARGATE"
    task = resources(blocks, "aws_ecs_task_definition")["admin"]
    assert ("aws_iam_role", "admin", "arn") in task.attributes["task_role_arn"].references()
    guide = (ROOT / "docs/operations.md").read_text()
    overrides = re.findall(r"'(\{\"containerOverrides\".+?)'", guide)
    assert overrides and "output -raw admin_task" in guide
    for override in map(json.loads, overrides):
        assert not ParamValidator().validate({**given, "overrides": override}, asked).has_errors(), override
        (container,) = override["containerOverrides"]
        assert container["name"] == "admin" and container["command"][0] == "admin"


def sample_of(value):
    """What an expression may come to, by its shape."""
    if value.kind == "object":
        return {key.parts[0]: sample_of(inner) for key, inner in value.parts}
    if value.kind == "list":
        return [sample_of(part) for part in value.parts]
    if value.kind == "choice":
        return sample_of(value.parts[1])
    if value.kind == "constant":
        return value.plain()
    return ["one"] if next(value.references())[-1].endswith("_ids") else "one"


def test_the_services_are_given_settings_that_there_are(blocks):
    table = subprocess.run([BINARY, "config"], capture_output=True, text=True, timeout=60, check=True).stdout
    known = {match[1]: match[2] for match in re.finditer(r"^\| `(\w+)` \|[^|]*\|[^|]*\| ([^|]*)", table, re.M)}
    (local,) = [block for block in blocks if block.type == "locals" and block.file == "services.tf"]
    given = {}
    for name in ("settings", "api_environment", "worker_environment", "secrets"):
        for part in local.attributes[name].parts[1:]:
            for choice in ([part] if part.kind != "choice" else part.parts[1:]):
                if choice.kind == "object":
                    given.update({key.parts[0]: value for key, value in choice.parts})
    assert {"SEGMENTS_STORE", "SEGMENTS_AUTH_SECRET", "REDIS_PASSWORD", "SEGMENTS_WORKERS", "DYNAMODB_TABLE_NAME"} <= set(given)
    assert set(given) <= set(known), set(given) - set(known)
    for name in ("SEGMENTS_STORE", "SEGMENTS_OBJECTS", "SEGMENTS_QUEUE", "SEGMENTS_AUTH"):
        assert given[name].plain() in known[name], (name, known[name])


def test_alarms_look_for_lines_that_are_logged(blocks):
    logged = "".join(text for room in (ROOT / "src").iterdir() if room.is_dir() for text in sources(room.name))
    (local,) = [block for block in blocks if block.type == "locals" and block.file == "alarms.tf"]
    metrics = local.attributes["log_metrics"].plain()
    for name, metric in metrics.items():
        for event in re.findall(r'\$\.event = "([^"]+)"', metric["pattern"]):
            assert f'"{event}"' in logged, (name, event)
        for field in re.findall(r"\$\.(\w+)", metric["pattern"] + metric["value"]):
            assert field in ("event", "level") or f'"{field}"' in logged, (name, field)
        for task in re.findall(r'\$\.name = "([^"]+)"', metric["pattern"]):
            assert f'"{task}"' in logged, (name, task)
    assert set(local.attributes["log_alarms"].plain()) <= set(metrics)


def test_the_deploy_script_reads_outputs_that_there_are(blocks):
    script = (ROOT / "scripts/deploy-segments-backend.sh").read_text()
    outputs = {block.labels[0] for block in blocks if block.type == "output"}
    read = set(re.findall(r"\boutput_of (\w+)", script))
    assert read and read <= outputs


def test_stops_are_given_the_time_that_they_take(blocks):
    (local,) = [block for block in blocks if block.type == "locals" and block.file == "services.tf"]
    serve, worker = (ROOT / "src/app/serve.cc").read_text(), (ROOT / "src/app/work.cc").read_text()
    longest = max(10 + int(re.search(r"worker_stop_seconds = (\d+)", serve)[1]), int(re.search(r"longest_stop_seconds = (\d+)", worker)[1]))
    assert longest < local.get("stop_seconds") <= 120
    for unit in (ROOT / "systemd").glob("*.service"):
        assert int(re.search(r"^TimeoutStopSec=(\d+)", unit.read_text(), re.M)[1]) > longest


# --- Terraform itself ---

needs_terraform = pytest.mark.skipif(not shutil.which("terraform") or not (PLUGINS / "registry.terraform.io/hashicorp/aws").is_dir(),
                                     reason="terraform in PATH and AWS's provider in SEGMENTS_TEST_TERRAFORM_PLUGINS are not here")
OFFLINE = """
provider "aws" {
  access_key                  = "offline"
  secret_key                  = "offline"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
"""
GIVEN = {
    "bucket_name": "clips-media", "vpc_id": "vpc-0a", "public_subnet_ids": ["subnet-0a", "subnet-0b"], "private_subnet_ids": ["subnet-0c", "subnet-0d"],
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/11111111-1111-1111-1111-111111111111", "public_url": "https://clips.example.org",
    "image": "example.org/segments@sha256:" + "0" * 64, "auth_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:auth-aaaaaa",
    "redis_auth_token": "0123456789abcdef0123456789abcdef"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terraform")
    for path in FOLDER.glob("*.tf"):
        shutil.copy(path, folder)
    (folder / "offline_override.tf").write_text(OFFLINE)
    terraform(folder, "init", "-plugin-dir", str(PLUGINS), "-input=false")
    return folder


def terraform(folder, *words, code=0):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "AWS_"))}
    answer = subprocess.run(["terraform", *words], cwd=folder, env={**env, "CHECKPOINT_DISABLE": "1"}, capture_output=True, text=True, timeout=400)
    assert answer.returncode == code, answer.stdout[-4000:] + answer.stderr[-4000:]
    return answer.stdout


def plan(folder, **more):
    (folder / "given.auto.tfvars.json").write_text(json.dumps({**GIVEN, **more}))
    terraform(folder, "plan", "-refresh=false", "-input=false", "-out=plan")
    return json.loads(terraform(folder, "show", "-json", "plan"))


@needs_terraform
def test_terraform_finds_it_valid_and_formatted(workspace):
    terraform(workspace, "validate")
    terraform(FOLDER, "fmt", "-check", "-diff")


@needs_terraform
def test_it_plans_an_empty_account(workspace):
    made = plan(workspace)
    assert {change["change"]["actions"][0] for change in made["resource_changes"] if change["mode"] == "managed"} == {"create"}
    planned = {change["address"]: change["change"]["after"] for change in made["resource_changes"]}
    assert planned["aws_dynamodb_table.segments"]["name"] == "easy-video-share-segments"
    assert 'aws_s3_bucket.media["clips-media"]' in planned and 'aws_elasticache_replication_group.redis["redis"]' in planned
    assert len([address for address in planned if address.startswith("aws_cloudwatch_metric_alarm.index_throttled")]) == 4


@needs_terraform
def test_it_uses_a_bucket_and_a_redis_that_are_there_and_destroys_nothing_of_the_earlier_service(workspace):
    """On that service's own state, the worst case: what holds data is forgotten, not destroyed."""
    provider = 'provider["registry.terraform.io/hashicorp/aws"]'
    old = {"aws_dynamodb_table.video_metadata": {"id": "easy-video-share-video-metadata", "name": "easy-video-share-video-metadata"},
           "aws_s3_bucket.video_bucket": {"id": "clips-media", "bucket": "clips-media"},
           "aws_cognito_user_pool.video_app_users": {"id": "us-east-1_a", "name": "users"},
           "aws_iam_user.video_app_user": {"id": "app", "name": "app"}}
    versions = {"aws_dynamodb_table": 1}
    state = {"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "11111111-2222-3333-4444-555555555555", "outputs": {}, "resources": [
        {"mode": "managed", "type": address.split(".")[0], "name": address.split(".")[1], "provider": provider,
         "instances": [{"schema_version": versions.get(address.split(".")[0], 0), "attributes": attributes}]} for address, attributes in old.items()]}
    (workspace / "terraform.tfstate").write_text(json.dumps(state))
    try:
        made = plan(workspace, bucket_exists=True, redis_url="rediss://redis.example.org:6379/0", redis_auth_token="", old_table_name="easy-video-share-video-metadata")
    finally:
        (workspace / "terraform.tfstate").unlink()
    actions = {change["address"]: change["change"]["actions"] for change in made["resource_changes"]}
    for address in ("aws_dynamodb_table.video_metadata", "aws_s3_bucket.video_bucket", "aws_cognito_user_pool.video_app_users"):
        assert actions[address] == ["forget"], actions[address]
    assert actions["aws_iam_user.video_app_user"] == ["delete"]  # which is why the deploy script looks, and refuses
    assert not [address for address in actions if address.startswith(("aws_s3_bucket.media", "aws_elasticache"))]
