// What other versions of Celery send, what a Python worker makes of what we send again, and what we stop
// there.
#include "celery/test_peer.h"
#include "celery/test_recorded.h"

namespace segments::celery {

TEST_F(CeleryPythonTest, messages_of_newer_versions_run) {
  int good = 0;
  for (const char* raw :
       {recorded::typed, recorded::stamped, recorded::chain, recorded::chord, recorded::plain}) {
    client.ask({"LPUSH", "celery", raw});
    ++good;
  }
  for (const char* raw : {recorded::brotli, recorded::zstd}) client.ask({"LPUSH", "celery", raw});
  {
    auto held = *read_json(recorded::stamped);
    OwnQueue own(url(), known_options());
    std::vector<LeaseEnd> ends;
    for (const auto& task : own.queue.lease_tasks("w", 10, 600'000)) {
      if (task.id == "stamped") {
        auto message = own.queue.message_of(task.fence);
        // A retry keeps the headers that we do not know, and its stamps.
        auto again = *read_json(encode_retry(*message, 1));
        for (const char* header : {"stamps", "stamped_headers", "replaced_task_nesting", "mine"})
          EXPECT_EQ(again.at("headers").at(header), held.at("headers").at(header)) << header;
      }
      ends.push_back(run(task));
    }
    EXPECT_EQ(static_cast<int>(ends.size()), good);
    EXPECT_EQ(own.queue.list_dead_letters("", 9).size(), 2u) << "codecs that are refused";
    for (bool taken : own.queue.end_leases(ends)) EXPECT_TRUE(taken);
    auto follow_up = own.queue.lease_tasks("w", 10, 600'000);
    bool is_stamped = false;
    for (const auto& task : follow_up) {
      if (task.id != "stamped-link") continue;
      is_stamped = true;
      auto headers = own.queue.message_of(task.fence)->envelope.headers;
      EXPECT_EQ(print_json(headers.at("stamps")), R"({"batch":"b7"})");
      EXPECT_EQ(print_json(headers.at("stamped_headers")), R"(["batch"])");
    }
    EXPECT_TRUE(is_stamped);
    for (const auto& task : follow_up) own.queue.hand_back(task);
  }
  OurWorker worker(url());
  run_checks(R"py(
plain = [['2026-11-22T14:46:49.737872', '2026-11-22T14:46:49+00:00', '2026-11-22', '14:46:49', '1.10', '12345678-1234-5678-1234-567812345678', 'bytes'],
    {'deep': [{'at': '2026-01-02'}], 'id': '12345678-1234-5678-1234-567812345678'}]
args, kwargs = json.loads(r.get('celery-task-meta-typed'))['result']
check('typed values', lambda: is_equal([args[:7], kwargs], plain))
check('bytes that are no text stay of a type that is known', lambda: is_equal(args[7], {'__type__': 'base64', '__value__': '//4='}))
for id, value in (('stamped', 3), ('stamped-link', 13), ('c1', 3), ('c2', 6), ('c3', 10), ('whole', 109), ('nothing-said', 3)):
    check(id, lambda: is_equal(got(app.AsyncResult(id)), value))
check('codecs that are refused have no result', lambda: is_equal([app.AsyncResult(id).state for id in ('z-brotli', 'z-zstd')], ['PENDING'] * 2))
)py");
}

// A worker that ends gives back what it holds.
TEST_F(CeleryPythonTest, what_a_python_worker_gave_back_is_known_to_be_delivered_again) {
  PythonPeer python(
      "app.worker_main(['worker', '-P', 'solo', '-l', 'critical', '-n', 'py@here', '--without-mingle'])",
      {url()});
  run_checks(R"py(
add.apply_async((1, 2), countdown=600, task_id='back')
check('Python holds it', lambda: until(lambda: r.hlen('unacked') == 1))
check('it listens', lambda: until(lambda: app.control.ping(destination=['py@here'], timeout=2)))
app.control.shutdown(destination=['py@here'])
check('it has given it back', lambda: until(lambda: r.llen('celery') == 1))
)py");
  OwnQueue own(url());
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, 600'000).empty()) << "it is not due yet";
  auto parked = own.queue.parked();
  ASSERT_EQ(parked.size(), 1u);
  own.queue.read_parked(parked, [](const ParkedTask& task, const TaskMessage& message) {
    EXPECT_EQ(task.id, "back");
    EXPECT_TRUE(message.redelivered);
    EXPECT_TRUE(message.eta);
    return true;
  });
}

// Sent by a client, tried by us, run by Python: nothing of the message is lost between them.
TEST_F(CeleryPythonTest, a_python_worker_runs_what_we_try_again_and_ours_what_it_replaces) {
  run_checks(R"py(
app.send_task('tasks.flaky', (1,), {'k': 'é'}, task_id='tried', headers={'mine': {'deep': [10**30, None]}}, priority=7, expires=600, time_limit=50, soft_time_limit=40.5,
    shadow='shown', link=add.s(1).set(task_id='linked', queue='ours'), chain=[add.s(10).set(task_id='chained', queue='ours')], root_id='top', compression='zlib')
)py");
  OwnQueue own(url(), [] {
    auto options = known_options();
    options.consumed = {"celery", "ours"};
    options.bind = [](const TaskMessage&) { return std::string("{}"); };
    return options;
  }());
  auto tasks = own.queue.lease_tasks("w", 5, 600'000);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_TRUE(own.queue.retry(tasks[0], "Later.", now_ms() + 300));
  own.queue.cancel_queue("celery");
  PythonPeer python(R"py(
app.tasks.unregister('tasks.flaky')
@app.task(name='tasks.flaky', bind=True)
def flaky(self, *args, **kwargs):
    r = self.request
    app.backend.client.set('seen', json.dumps([args, kwargs, r.id, r.retries, r.mine, r.root_id, r.parent_id, r.shadow, r.timelimit, r.delivery_info['priority'],
        r.correlation_id, r.reply_to != '', r.expires is not None, r.eta is not None, time.time() >= datetime.datetime.fromisoformat(r.eta).timestamp()]))
    return 5
@app.task(name='tasks.replacer', bind=True)
def replacer(self, x): raise self.replace(add.s(x, 1).set(queue='ours'))
@app.task(name='tasks.sleep')
def sleep(seconds):
    app.backend.client.set('runs', os.getpid())
    time.sleep(seconds)
app.worker_main(['worker', '-P', 'prefork', '-c', '1', '-l', 'critical', '-Q', 'celery', '-n', 'py@here', '--without-heartbeat', '--without-mingle', '--without-gossip'])
)py",
                    {url()});
  ASSERT_TRUE(wait_for([&] { return number({"EXISTS", "seen"}) == 1; })) << python.errors();
  auto asker = start_checks(R"py(
seen = json.loads(r.get('seen'))
check('all of it', lambda: is_equal(seen, [[1], {'k': 'é'}, 'tried', 1, {'deep': [10**30, None]}, 'top', 'tried', 'shown', [50, 40.5], 7, 'tried', True, True, True, True]))
replacer = app.signature('tasks.replacer', args=(1,))
check('a replaced task', lambda: is_equal(got(replacer.clone().apply_async()), 2))
check('a replaced task in a chain', lambda: is_equal(got((replacer.clone() | add.s(5).set(queue='ours')).apply_async()), 7))
check('a replaced task in a chord', lambda: is_equal(got(chord([replacer.clone(), replacer.clone()])(total.s().set(queue='ours'))), 4))
r.set('free', 1)
check('it runs', lambda: until(lambda: r.exists('runs')))
long = app.AsyncResult('long')
check('stopped', lambda: until(lambda: long.state == 'REVOKED'))
check('its process is gone', lambda: until(lambda: not os.path.exists('/proc/' + r.get('runs').decode())))
check('what followed ours', lambda: is_equal([got(app.AsyncResult('linked')), got(app.AsyncResult('chained'))], [6, 15]))
)py");
  OurWorker worker(url(), 16, [] {
    auto options = known_options();
    options.consumed = {"ours"};
    return options;
  }());
  // A long run of Python's is stopped by us.
  EXPECT_TRUE(wait_for([&] { return number({"EXISTS", "free"}) == 1; }));
  own.queue.enqueue({.id = "long", .name = "tasks.sleep", .arguments = R"({"seconds": 600})"});
  EXPECT_TRUE(wait_for([&] { return number({"EXISTS", "runs"}) == 1; }));
  EXPECT_TRUE(own.queue.revoke("long"));
  expect_checks(*asker);
  EXPECT_EQ(own.queue.find_task("long")->status, TaskStatus::REVOKED);
}

}  // namespace segments::celery
