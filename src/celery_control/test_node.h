// For tests: a real worker with its node on a real Redis, and Debian's own Celery to ask it.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "celery/arguments.h"
#include "celery_control/node.h"
#include "redis/test_server.h"
#include "worker/worker.h"

namespace segments::celery {

inline constexpr const char* node_name = "celery@native";

// Waits for what must come; what never comes is a failure.
template <class F>
testing::AssertionResult comes_true(F&& condition) {
  auto until = steady_ms() + 60'000;
  while (!condition()) {
    if (steady_ms() > until) return testing::AssertionFailure() << "it never came true";
    usleep(5'000);
  }
  return testing::AssertionSuccess();
}

inline const std::vector<TaskLimits>& test_tasks() {
  static const std::vector<TaskLimits> tasks = {
      {"tasks.add", 3, 60}, {"tasks.fail", 3, 60}, {"tasks.flaky", 3, 60}, {"tasks.wait", 3, 60}};
  return tasks;
}

inline std::variant<std::string, PythonException> bind_test_task(const TaskMessage& message) {
  static const TaskSignature add{"tasks.add", {{"x"}, {"y", false}}}, total{"tasks.total", {{"items"}}},
      wait{"tasks.wait", {{"path"}}};
  if (message.task == "tasks.add") return bind_arguments(add, message.args, message.kwargs);
  if (message.task == "tasks.total") return bind_arguments(total, message.args, message.kwargs);
  for (const char* name : {"tasks.wait", "tasks.kill_slot", "tasks.kill_worker"})
    if (message.task == name) return bind_arguments(wait, message.args, message.kwargs);
  for (const char* name : {"tasks.fail", "tasks.flaky", "tasks.tired"})
    if (message.task == name) return std::string("{}");
  return not_registered(message.task);
}

class TestFolder {
 public:
  TestFolder() {
    char pattern[] = "/tmp/celery-control-XXXXXX";
    path_ = mkdtemp(pattern);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A worker as the application makes it.
struct TestWorker {
  explicit TestWorker(const std::string& url, NodeOptions node_options = {},
                      std::vector<std::string> queues = {"celery"}, int drain_seconds = 0)
      : client(redis::parse_url(url)), queue(client, queue_options(hooks, std::move(queues))) {
    node_options.tasks = test_tasks();
    node.emplace(redis::parse_url(url), queue, controls, hooks, std::move(node_options));
    options.drain_seconds = drain_seconds;
    options.controls = &controls;
    options.observer = &hooks.events;
    thread = std::thread([this] {
      run_worker(queue, options, stopping, [](const LeasedTask&, const std::string&, bool) {});
      ended = true;
    });
  }
  ~TestWorker() {
    stopping = steady_ms();
    thread.join();
  }
  static CeleryQueueOptions queue_options(NodeHooks& hooks, std::vector<std::string> queues) {
    CeleryQueueOptions options;
    options.consumed = std::move(queues);
    options.bind = bind_test_task;
    hooks.attach(options);
    return options;
  }

  TestFolder folder;
  NodeHooks hooks{node_name};
  redis::Client client;
  CeleryQueue queue;
  WorkerControls controls{2};
  WorkerOptions options{.name = "worker@native",
                        .slot_command = {"/proc/self/exe", "slot"},
                        .poll_ms = 10,
                        .retry_base_ms = 5,
                        .work_dir = folder / "work"};
  std::atomic<Millis> stopping = 0;  // since when
  std::atomic<bool> ended = false;
  std::thread thread;
  std::optional<Node> node;
};

// A program that runs beside the test and is gone with it.
class Beside {
 public:
  Beside(const std::vector<std::string>& words, const std::string& folder, std::string log)
      : log_(std::move(log)) {
    pid_ = fork();
    if (pid_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsetenv("LD_PRELOAD");
    if (!freopen(log_.c_str(), "w", stdout) || dup2(1, 2) < 0 || chdir(folder.c_str()) != 0) _exit(126);
    std::vector<char*> all;
    for (const auto& word : words) all.push_back(const_cast<char*>(word.c_str()));
    all.push_back(nullptr);
    execv(all[0], all.data());
    _exit(127);
  }
  ~Beside() {
    kill(pid_, SIGKILL);
    if (!is_reaped_) waitpid(pid_, nullptr, 0);
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  bool is_alive() {
    if (!is_reaped_) is_reaped_ = waitpid(pid_, nullptr, WNOHANG) == pid_;
    return !is_reaped_;
  }
  std::string log() const {
    std::ifstream in(log_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  const std::string log_;
  pid_t pid_;
  bool is_reaped_ = false;
};

// What every script begins with: `app`, and what it is told on its command line.
inline const char* const python_beginning = R"py(
import sys, os, json, time, base64, threading, uuid
from celery import Celery
from celery.exceptions import TaskRevokedError
url, node, folder = sys.argv[1:4]
app = Celery('tasks', broker=url, backend=url)
app.conf.update(task_default_queue='celery')
def until(condition, what):
    end = time.time() + 60
    while not condition():
        assert time.time() < end, 'never came true: ' + str(what() if callable(what) else what)
        time.sleep(0.02)
# Who asks by name, or for a number of answers, is back as soon as they have come.
inspect = app.control.inspect([node], timeout=60)
def asked(replies):
    assert replies and set(replies) == {node}, replies
    return replies[node]
def control(method, **arguments):
    replies = app.control.broadcast(method, arguments=arguments, destination=[node], reply=True, timeout=60)
    assert len(replies) == 1 and set(replies[0]) == {node}, (method, replies)
    return replies[0][node]
def send(name, *args, **options):
    return app.send_task('tasks.' + name, args, **options)
# A Python worker says that it is online a second or more before it listens.
def all_listen(*nodes):
    until(lambda: set(app.control.inspect(list(nodes), timeout=2).ping() or {}) == set(nodes), f'{nodes} listen')
def ask_all(method, *nodes, **arguments):
    replies = app.control.broadcast(method, arguments=arguments, destination=list(nodes), reply=True, timeout=60)
    assert {next(iter(reply)) for reply in replies} == set(nodes), (method, replies)
)py";

class NodeTest : public testing::Test {
 protected:
  NodeTest() { client.ask({"FLUSHALL"}); }
  static redis::RedisServer& server() {
    static redis::RedisServer server;
    return server;
  }
  static std::string url() { return server().url(); }
  std::int64_t number(std::initializer_list<std::string_view> command) {
    return client.ask(redis::Command(command)).integer;
  }

  // A script that fails, and a missing Celery, fail the test.
  std::string run_python(const std::string& script, const std::vector<std::string>& more = {}) {
    auto file = folder / "script.py";
    std::ofstream(file) << python_beginning << script;
    std::string words = file + " " + url() + " " + node_name + " " + folder.path();
    for (const auto& word : more) words += " " + word;
    return run(words);
  }
  // `words` for Debian's Python.
  std::string run(const std::string& words) {
    std::string command =
        "cd " + folder.path() +
        " && env -u LD_PRELOAD PYTHONDONTWRITEBYTECODE=1 timeout 240 /usr/bin/python3 -W ignore " + words +
        " >" + (folder / "out") + " 2>" + (folder / "err");
    int state = system(command.c_str());
    auto read = [&](const std::string& name) {
      std::ifstream in(folder / name);
      return std::string(std::istreambuf_iterator<char>(in), {});
    };
    auto out = read("out");
    EXPECT_EQ(state, 0) << words << " (python3-celery is needed)\n" << out << read("err");
    return out;
  }

  // Asks without Python. Empty: nobody answered in 60 s.
  std::optional<Json> ask(const std::string& method, Json arguments = Json::object()) {
    ControlRequest request;
    request.method = method;
    request.arguments = std::move(arguments);
    request.ticket = "ticket";
    request.reply_exchange = keys::reply_exchange;
    request.reply_routing_key = make_uuid();
    auto queue = keys::reply_queue(request.reply_routing_key);
    client.ask({"SADD", keys::binding(keys::reply_exchange),
                keys::binding_member(request.reply_routing_key, queue)});
    client.ask({"PUBLISH", keys::control_channel(0), encode_control_request(request)});
    auto answer = client.wait({"BRPOP", queue, "60"}, 60'000);
    client.ask({"SREM", keys::binding(keys::reply_exchange),
                keys::binding_member(request.reply_routing_key, queue)});
    if (answer.items.size() != 2) return std::nullopt;
    auto reply = decode_control_reply(answer.items[1].text);
    if (!reply || reply->nodes.size() != 1 || reply->ticket != "ticket") return std::nullopt;
    return reply->nodes[0].second;
  }
  bool is_joined(std::string_view node = node_name) {
    return number({"SISMEMBER", "_kombu.binding.celery.pidbox",
                   keys::binding_member("", keys::control_queue(node))}) == 1;
  }

  TestFolder folder;
  redis::Client client{redis::parse_url(server().url())};
};

}  // namespace segments::celery
