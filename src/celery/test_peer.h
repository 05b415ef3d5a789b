// Debian's own Celery beside our worker on one Redis, for tests.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include "base/log.h"
#include "celery/test_queue.h"

extern char** environ;

namespace segments::celery {

// What every script begins with; its first argument is the server's address.
inline constexpr const char* peer_py = R"py(
import os, sys, json, time, datetime
from celery import Celery, chain, group, chord
url = sys.argv[1]
app = Celery('peer', broker=url, backend=url)
app.conf.update(accept_content=['json'], worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
@app.task(name='tasks.add')
def add(x, y=0):
    app.backend.client.rpush('ran:python', '%s' % add.request.id)
    return x + y
@app.task(name='tasks.total')
def total(items): return sum(items)
@app.task(name='tasks.boom', throws=(ValueError,))
def boom(**kwargs): raise ValueError('boom', 42)
@app.task(name='tasks.flaky')
def flaky(): pass
@app.task(name='tasks.note')
def note(failed): pass
@app.task(name='tasks.none')
def none(): pass
@app.task(name='tasks.echo')
def echo(*args, **kwargs): return [args, kwargs]
)py";

// Each `check` asks one thing and says whether it is so; all of them are asked.
inline constexpr const char* checks_py = R"py(
import threading, traceback, uuid, base64
r = app.backend.client
def check(name, ask):
    try: answer = ask()
    except Exception: answer = traceback.format_exc()
    print(json.dumps([name, answer is True, repr(answer)]), flush=True)
def is_equal(value, wanted): return value == wanted or (value, wanted)
def got(result): return result.get(timeout=60)
def raised(ask):
    try: return ask()
    except Exception as error: return [type(error).__module__, type(error).__name__, *error.args]
def until(condition, seconds=60):
    end = time.time() + seconds
    while not condition():
        if time.time() > end: return False
        time.sleep(0.01)
    return True
def meta(id): return json.loads(r.get('celery-task-meta-' + id))
def letters(): return r.zcard('segments:dead_letters')
utc = datetime.timezone.utc
def now(): return datetime.datetime.now(utc)
)py";

class PythonPeer {
 public:
  PythonPeer(const std::string& script, const std::vector<std::string>& arguments) {
    path_ = "/tmp/celery-peer-" + make_uuid() + ".py";
    std::ofstream(path_) << peer_py << script;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, (path_ + ".err").c_str(), O_WRONLY | O_CREAT, 0600);
    // By hand, a virtual environment with another version of Celery may take the place of Debian's.
    const char* python = getenv("CELERY_PYTHON");
    std::vector<std::string> words{python ? python : "/usr/bin/python3", "-W", "ignore", path_};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    if (posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, pointers.data(), environ)) pid_ = 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~PythonPeer() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    fclose(output_);
    unlink(path_.c_str());
    unlink((path_ + ".err").c_str());
  }
  std::optional<std::string> read_line() {
    char* text = nullptr;
    std::size_t size = 0;
    auto length = getline(&text, &size, output_);
    std::optional<std::string> line;
    if (length > 0) line = std::string(text, static_cast<std::size_t>(length));
    free(text);
    return line;
  }
  std::string errors() const {
    std::ifstream in(path_ + ".err");
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string path_;
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
};

// What the worker's child process would do with a task.
inline LeaseEnd run(const LeasedTask& task) {
  auto arguments = *read_json(task.arguments);
  if (task.name == "tasks.boom") return {task, LeaseEnding::fail, "boom"};
  if (task.name == "tasks.flaky" && task.retries == 0)
    return {task, LeaseEnding::retry, "Later.", now_ms() + 200};
  if (task.name == "tasks.flaky") return {task, LeaseEnding::finish, "\"at last\""};
  if (task.name == "tasks.echo")
    return {task, LeaseEnding::finish,
            print_json(Json::array({arguments.at("args"), arguments.at("kwargs")}))};
  if (task.name == "tasks.hard") return {task, LeaseEnding::time_limit};
  if (task.name == "tasks.soft") return {task, LeaseEnding::soft_time_limit};
  if (task.name == "tasks.lost") return {task, LeaseEnding::worker_lost, "The worker died."};
  if (task.name == "tasks.note") return {task, LeaseEnding::finish, print_json(arguments.at("failed"))};
  double sum = 0;
  if (task.name == "tasks.total")
    for (const auto& item : arguments.at("items").items()) sum += item.real().value_or(0);
  if (task.name == "tasks.add")
    sum = arguments.at("x").real().value_or(0) + arguments.at("y").real().value_or(0);
  bool whole = sum < 1e15;
  return {task, LeaseEnding::finish,
          whole ? std::to_string(static_cast<std::int64_t>(sum)) : print_json(Json(sum))};
}

inline std::variant<std::string, PythonException> bind_known(const TaskMessage& message) {
  static const std::map<std::string, TaskSignature> known{
      {"tasks.add", {"tasks.add", {{"x"}, {"y", false}}}},
      {"tasks.total", {"tasks.total", {{"items"}}}},
      {"tasks.boom", {"tasks.boom", {{"x", false}}}},
      {"tasks.flaky", {"tasks.flaky", {}}},
      {"tasks.note", {"tasks.note", {{"failed"}}}},
      {"tasks.hard", {"tasks.hard", {}}},
      {"tasks.soft", {"tasks.soft", {}}},
      {"tasks.lost", {"tasks.lost", {}}},
  };
  if (message.task == "tasks.echo")
    return print_json(
        Json::object({{"args", plain_json(message.args)}, {"kwargs", plain_json(message.kwargs)}}));
  auto found = known.find(message.task);
  if (found == known.end()) return not_registered(message.task);
  return bind_arguments(found->second, message.args, message.kwargs);
}

inline CeleryQueueOptions known_options() {
  auto options = test_options();
  options.bind = bind_known;
  return options;
}

// Our worker, on a thread.
class OurWorker {
 public:
  explicit OurWorker(const std::string& url, int at_once = 16, CeleryQueueOptions options = known_options())
      : own_(url, std::move(options)), thread_([this, at_once] { work(at_once); }) {}
  ~OurWorker() {
    stop_ = true;
    thread_.join();
  }

 private:
  void work(int at_once) {
    while (!stop_) {
      auto tasks = own_.queue.lease_tasks("ours", at_once, 600'000);
      if (tasks.empty()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));  // as the worker polls
        continue;
      }
      std::vector<LeaseEnd> ends;
      for (const auto& task : tasks) {
        own_.client.ask({"RPUSH", "ran:ours", task.id});
        ends.push_back(run(task));
      }
      for (bool taken : own_.queue.end_leases(ends)) EXPECT_TRUE(taken);
    }
  }
  OwnQueue own_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

template <class Condition>
bool wait_for(Condition condition, int seconds = 60) {
  for (int i = 0; i < seconds * 100; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

class CeleryPythonTest : public CeleryQueueTest {
 protected:
  CeleryPythonTest() { set_log_level(LogLevel::off); }
  ~CeleryPythonTest() override { set_log_level(LogLevel::info); }
  // A client's script of checks, to its end.
  void run_checks(const std::string& script) {
    auto client = start_checks(script);
    expect_checks(*client);
  }
  std::unique_ptr<PythonPeer> start_checks(const std::string& script) {
    return std::make_unique<PythonPeer>(checks_py + script + "\nprint('[\"end\", true, \"\"]', flush=True)\n",
                                        std::vector{url()});
  }
  void expect_checks(PythonPeer& client) {
    std::string last;
    while (auto line = client.read_line()) {
      auto row = read_json(*line);
      ASSERT_TRUE(row && row->items().size() == 3) << *line;
      last = row->items()[0].text();
      EXPECT_TRUE(row->items()[1].boolean()) << last << ": " << row->items()[2].text();
    }
    EXPECT_EQ(last, "end") << client.errors();
  }
};

}  // namespace segments::celery
