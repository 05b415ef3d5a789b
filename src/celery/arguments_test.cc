#include "celery/arguments.h"

#include "base/error.h"
#include "celery/python_test.h"

namespace segments::celery {
namespace {

std::string bound(const std::string& task, const std::string& args, const std::string& kwargs) {
  auto result = bind_arguments(*find_task_signature(task), *read_json(args), *read_json(kwargs));
  if (auto* text = std::get_if<std::string>(&result)) return *text;
  return std::get<PythonException>(result).repr();
}

TEST(Arguments, AreBoundAsPythonBindsThem) {
  auto lines = run_python(R"py(
def process_video_task(s3_input_key, job_id, cutting_options=None, text_strategy=None, text_input=None, user_id=None): return locals()
def create_segments_from_video_task(video_id, user_id, output_s3_keys, video_metadata=None): return locals()
def sync_social_media_metrics_task(segment_id, platform): return locals()
def batch_sync_social_media_task(user_id, platforms=None): return locals()
for f in (process_video_task, create_segments_from_video_task, sync_social_media_metrics_task, batch_sync_social_media_task):
    names = list(f.__code__.co_varnames[:f.__code__.co_argcount])
    for i in range(150):
        args = [rng.randrange(9) for _ in range(rng.randrange(len(names) + 3))]
        kwargs = {n: rng.randrange(9) for n in rng.sample(names + ['odd', 'self'], rng.randrange(0, len(names)))}
        try: result, error = f(*args, **kwargs), None
        except TypeError as e: result, error = None, repr(e)
        given = names[:len(args)] + list(kwargs)
        put('tasks.' + f.__name__, args, kwargs, {n: result[n] for n in names if n in given} if result else None, error)
)py");
  ASSERT_EQ(lines.size(), 600u);
  int good = 0;
  for (const auto& line : lines) {
    auto row = read_json(line)->items();
    auto got = bound(row[0].text(), print_json(row[1]), print_json(row[2]));
    ASSERT_EQ(got, row[4].is_null() ? print_json(row[3]) : row[4].text()) << line;
    good += row[4].is_null();
  }
  EXPECT_GT(good, 50);
}

TEST(Arguments, WhatIsNoJsonToOthersFails) {
  EXPECT_EQ(bound("tasks.batch_sync_social_media_task", "[NaN]", "{}"),
            "ValueError('Out of range float values are not JSON compliant')");
  EXPECT_EQ(bound("tasks.batch_sync_social_media_task", "[]", R"({"user_id": [{"a": 1e999}]})"),
            "ValueError('Out of range float values are not JSON compliant')");
  EXPECT_EQ(bound("tasks.batch_sync_social_media_task", "[123456789012345678901234567890]", "{}"),
            R"({"user_id":123456789012345678901234567890})");
  EXPECT_EQ(bound("tasks.batch_sync_social_media_task", R"([{"__type__": "odd", "__value__": 1}])", "{}"),
            "ValueError('Unsupported typed value in the arguments')");
  EXPECT_EQ(
      bound("tasks.batch_sync_social_media_task", R"([{"__type__": "base64", "__value__": "/w=="}])", "{}"),
      "ValueError('Unsupported typed value in the arguments')");
}

TEST(Arguments, TypedJsonBecomesPlain) {
  auto plain = [](const char* text) { return print_json(plain_json(*read_json(text))); };
  EXPECT_EQ(plain(R"({"a": [{"__type__": "datetime", "__value__": "2026-11-22T14:00:00+00:00"}]})"),
            R"({"a":["2026-11-22T14:00:00+00:00"]})");
  EXPECT_EQ(plain(R"({"__type__": "date", "__value__": "2026-11-22"})"), R"("2026-11-22")");
  EXPECT_EQ(plain(R"({"__type__": "time", "__value__": "14:00:00"})"), R"("14:00:00")");
  EXPECT_EQ(plain(R"({"__type__": "decimal", "__value__": "1.10"})"), R"("1.10")");
  EXPECT_EQ(plain(R"({"__type__": "uuid", "__value__": {"hex": "3F0B0000000000000000000000000001"}})"),
            R"("3f0b0000-0000-0000-0000-000000000001")");
  EXPECT_EQ(plain(R"({"__type__": "bytes", "__value__": "abc"})"), R"("abc")");
  EXPECT_EQ(plain(R"({"__type__": "base64", "__value__": "w6k="})"), R"("é")");
  // Not exactly these two members, or broken.
  for (const char* text :
       {R"({"__type__":"date","__value__":"x","more":1})", R"({"__type__":"date"})",
        R"({"__type__":"date","__value__":5})", R"({"__type__":"uuid","__value__":{"hex":"zz"}})",
        R"({"__type__":5,"__value__":"x"})"})
    EXPECT_EQ(plain(text), text);
}

TEST(Arguments, OfOurOwnAreKeywords) {
  EXPECT_EQ(print_json(kwargs_of(R"({"user_id": "u", "n": 2.0})")), R"({"user_id":"u","n":2.0})");
  EXPECT_THROW(kwargs_of("[]"), Error);
  EXPECT_THROW(kwargs_of("{"), Error);
  EXPECT_FALSE(find_task_signature("tasks.unknown"));
}

}  // namespace
}  // namespace segments::celery
