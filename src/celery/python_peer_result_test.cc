// Results between this room and Debian's own Celery.
#include "celery/python_test.h"
#include "celery/result.h"

namespace segments::celery {
namespace {

TEST(PythonPeer, ReadsOurResults) {
  std::vector<ResultMeta> metas{
      make_success("a", *read_json(R"({"x": [1, 2.0, "é", 12345678901234567890123]})"), 1'795'358'809'738),
      make_failure("b", {"ValueError", {Json("boom"), Json(42)}, "builtins"}, "Traceback: é\n",
                   1'795'358'809'738),
      make_retry("c", runtime_error("later"), "Traceback\n"),
      make_revoked("d", "expired", 1'795'358'809'000),
      make_started("e", 77, "celery@host"),
      make_failure("f", not_registered("tasks.x"), "", 0),
      make_failure("g", time_limit_exceeded(10), "", 0),
      make_failure("h", chord_error("dep", {"ValueError", {Json("it's")}, "builtins"}), "", 0)};
  metas[0].children = *read_json(R"([[["child1", [["a", null], null]], null], [["child2", null], null]])");
  metas[0].group_id = "group";
  metas[0].parent_id = "parent";
  std::vector<std::string> lines;
  for (const auto& meta : metas)
    lines.push_back(print_json(Json::array({Json(meta.task_id), Json(encode_result(meta))})));
  auto read = run_python(R"py(
from celery.result import AsyncResult
import billiard.exceptions
for line in lines:
    id, raw = json.loads(line)
    app.backend.set(app.backend.get_key_for_task(id), raw)
    r = AsyncResult(id, app=app)
    value = r.get(propagate=False) if r.state not in ('RETRY', 'STARTED') else r.result
    put(r.state, repr(value) if isinstance(value, Exception) else value, type(value).__module__, r.traceback, [[c.id, c.parent and c.parent.id] for c in r.children or []],
        r.date_done.timestamp() if r.date_done else None, app.backend.get_task_meta(id).get('group_id'), app.backend.get_task_meta(id).get('parent_id'))
)py",
                         lines);
  ASSERT_EQ(read.size(), metas.size());
  std::vector<Json> rows;
  for (const auto& line : read) rows.push_back(*read_json(line));
  auto cell = [&](int row, int column) { return rows[row].items()[column]; };
  for (std::size_t i = 0; i < metas.size(); ++i)
    EXPECT_EQ(cell(static_cast<int>(i), 0).text(), metas[i].status);
  EXPECT_EQ(cell(0, 1), metas[0].result);
  EXPECT_EQ(print_json(cell(0, 4)), R"([["child1","a"],["child2",null]])");
  EXPECT_NEAR(*cell(0, 5).real(), 1'795'358'809.738, 1e-4);
  EXPECT_EQ(cell(0, 6).text(), "group");
  EXPECT_EQ(cell(0, 7).text(), "parent");
  EXPECT_EQ(cell(1, 1).text(), "ValueError('boom', 42)");
  EXPECT_EQ(cell(1, 3).text(), "Traceback: é\n");
  EXPECT_EQ(cell(2, 1).text(), "RuntimeError('later')");
  EXPECT_TRUE(cell(2, 5).is_null());
  EXPECT_EQ(cell(3, 1).text(), "TaskRevokedError('expired')");
  EXPECT_EQ(cell(3, 2).text(), "celery.exceptions");
  EXPECT_EQ(print_json(cell(4, 1)), R"({"pid":77,"hostname":"celery@host"})");
  EXPECT_EQ(cell(5, 1).text(), "Task of kind 'tasks.x' never registered, please make sure it's imported.");
  EXPECT_EQ(cell(6, 2).text(), "billiard.exceptions");
  EXPECT_EQ(cell(7, 1).text(), R"j(ChordError('Dependency dep raised ValueError("it\'s")'))j");
}

TEST(PythonPeer, ItsResultsAreRead) {
  auto lines = run_python(R"py(
from celery.app.task import Context
def context(request):
    children = request.pop('children', [])
    made = Context(request)
    made._children = children
    return made
def meta(id, value, state, **request):
    app.backend.store_result(id, value, state, traceback=request.pop('traceback', None), request=context(request))
    put(app.backend.get(app.backend.get_key_for_task(id)))
app.conf.result_extended = True
child = app.AsyncResult('child', parent=app.AsyncResult('mother', parent=app.AsyncResult('grandmother')))
meta('a', {'x': 1}, 'SUCCESS', group='g', parent_id='p', children=[child, app.GroupResult('gr', [app.AsyncResult('m1'), app.AsyncResult('m2')])], task='tasks.add', args=[1], kwargs={})
meta('b', ValueError('boom', 42), 'FAILURE', traceback='tb')
meta('c', KeyError('k'), 'RETRY', traceback='tb')
meta('d', celery.exceptions.TaskRevokedError('terminated'), 'REVOKED')
meta('e', {'pid': 1, 'hostname': 'h'}, 'STARTED')
meta('f', {'done': 5}, 'PROGRESS')
saved = app.GroupResult('gid', [app.AsyncResult('x'), app.GroupResult('inner', [app.AsyncResult('y')])])
put(app.backend.encode({'result': saved.as_tuple()}))
)py");
  ASSERT_EQ(lines.size(), 7u);
  std::vector<std::string> raws;
  for (const auto& line : lines) raws.push_back(read_json(line)->items()[0].text());
  std::vector<ResultMeta> metas;
  for (std::size_t i = 0; i < 6; ++i) metas.push_back(*decode_result(raws[i]));
  EXPECT_EQ(metas[0].task_status(), TaskStatus::SUCCESS);
  EXPECT_EQ(print_json(metas[0].result), R"({"x":1})");
  EXPECT_EQ(metas[0].group_id, "g");
  EXPECT_EQ(metas[0].parent_id, "p");
  auto told = print_json(metas[0].children);
  for (const char* id : {"child", "mother", "m1", "m2"})
    EXPECT_NE(told.find('"' + std::string(id) + '"'), told.npos) << told;
  EXPECT_TRUE(metas[0].date_done);
  EXPECT_EQ(metas[0].more.text_of("name"), "tasks.add");
  EXPECT_EQ(metas[1].exception()->repr(), "ValueError('boom', 42)");
  EXPECT_EQ(metas[1].exception()->sentence(), "boom");
  EXPECT_EQ(metas[1].traceback, "tb");
  EXPECT_EQ(metas[2].task_status(), TaskStatus::RETRY);
  EXPECT_FALSE(metas[2].date_done);
  EXPECT_EQ(metas[3].exception(), task_revoked("terminated"));
  EXPECT_EQ(metas[4].task_status(), TaskStatus::STARTED);
  EXPECT_FALSE(metas[5].task_status());
  EXPECT_EQ(decode_group(raws[6]), (std::vector<std::string>{"x", "y"}));
}

}  // namespace
}  // namespace segments::celery
