// Debian's own Celery in a process of its own: a script reads lines of JSON and prints lines. For tests.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace segments::celery {

// What every script begins with. Sending a task gives the text that the Redis transport would push.
inline const char* const python_prelude = R"py(
import sys, json, random, string, datetime, math
import celery, kombu
from celery import Celery, chain, group, chord, signature
from kombu.utils.json import dumps
import kombu.transport.memory as memory
app = Celery('tasks', broker='memory://', backend='cache+memory://')
app.conf.update(task_default_queue='celery', accept_content=['json'], broker_connection_retry=False)
sent = []
def capture(self, queue, message, **kwargs):
    sent.append(dumps(message))
memory.Channel._put = capture
@app.task(name='tasks.add')
def add(*args, **kwargs): return sum(args)
@app.task(name='tasks.total')
def total(items): return sum(items)
@app.task(name='tasks.echo')
def echo(*args, **kwargs): return [list(args), kwargs]
connection = app.connection()
channel = connection.default_channel
def read_message(raw):
    message = channel.message_to_python(channel.prepare_message and json.loads(raw))
    message.accept = {'application/json'}
    return message
lines = [line for line in open(sys.argv[1], encoding='utf-8').read().split('\n') if line]
out = open(sys.argv[2], 'w', encoding='utf-8')
def put(*values): out.write(json.dumps(values) + '\n')
rng = random.Random(20261122)
def text():
    pool = string.printable + '\u00e9\u00df\u4e2d\U0001f600\x7f\x00\u200b\u00ad\u2028\u3000\ufeff\ue000\'"\\'
    return ''.join(rng.choice(pool) for _ in range(rng.randrange(0, 12)))
def number():
    return rng.choice([rng.randrange(-5, 5), rng.randrange(-10**40, 10**40), rng.random(), rng.uniform(-1, 1) * 10 ** rng.randrange(-320, 308),
                       float(rng.randrange(10**18)), 1e16, 1e15, 1e-4, 1e-5, -0.0, 2.0, 123456789012345680.0])
def value(depth=0):
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 0: return None
    if kind == 1: return rng.random() < .5
    if kind in (2, 3): return number()
    if kind in (4, 5): return text()
    if kind == 6: return [value(depth + 1) for _ in range(rng.randrange(4))]
    return {text(): value(depth + 1) for _ in range(rng.randrange(4))}
)py";

// The lines that the script printed. A script that fails, or a missing Celery, fails the test.
inline std::vector<std::string> run_python(const std::string& script,
                                           const std::vector<std::string>& lines = {}) {
  char folder[] = "/tmp/celery-test-XXXXXX";
  if (!mkdtemp(folder)) {
    ADD_FAILURE() << "no folder for the script";
    return {};
  }
  std::string in = folder + std::string("/in"), out = folder + std::string("/out"),
              py = folder + std::string("/run.py");
  std::ofstream(py) << python_prelude << script;
  std::ofstream input(in);
  for (const auto& line : lines) input << line << '\n';
  input.close();
  // Leaks of the interpreter are not ours to report.
  std::string command = "env -u LD_PRELOAD PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -W ignore " + py + " " +
                        in + " " + out + " 2>" + folder + "/err";
  int state = system(command.c_str());
  std::ifstream errors(folder + std::string("/err"));
  std::string error((std::istreambuf_iterator<char>(errors)), {});
  EXPECT_EQ(state, 0) << "/usr/bin/python3 with python3-celery is needed:\n" << error;
  std::vector<std::string> printed;
  std::ifstream output(out);
  for (std::string line; std::getline(output, line);) printed.push_back(line);
  std::filesystem::remove_all(folder);
  return printed;
}

}  // namespace segments::celery
