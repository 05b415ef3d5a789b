#include "celery/python_repr.h"

#include "base/text.h"
#include "celery/python_test.h"

namespace segments::celery {
namespace {

TEST(PythonRepr, IsPythonsOwnOnRandomValues) {
  auto lines = run_python(R"py(
for i in range(1500):
    v = value()
    put(json.dumps(v, ensure_ascii=rng.random() < .5), repr(v))
for code in list(range(0x0, 0x3100)) + [0xd7ff, 0xe000, 0xfdd0, 0xfeff, 0xfffe, 0xfffd, 0x1d173, 0x1f600, 0xe0001, 0xe0100, 0xe01f0, 0xf0000, 0x10ffff]:
    import unicodedata
    if unicodedata.category(chr(code)) != 'Cn' or code > 0xf000: put(json.dumps(chr(code)), repr(chr(code)))
)py");
  ASSERT_GT(lines.size(), 10'000u);
  for (const auto& line : lines) {
    auto pair = read_json(line);
    auto value = read_json(pair->items()[0].text());
    ASSERT_TRUE(value) << line;
    ASSERT_EQ(python_repr(*value, 1 << 20), pair->items()[1].text()) << line;
  }
}

TEST(PythonRepr, ShowsArgumentsAsATuple) {
  EXPECT_EQ(python_tuple_repr(*read_json("[]")), "()");
  EXPECT_EQ(python_tuple_repr(*read_json("[1]")), "(1,)");
  EXPECT_EQ(python_tuple_repr(*read_json(R"([1, "it's", NaN, -Infinity])")), "(1, \"it's\", nan, -inf)");
}

TEST(PythonRepr, IsCutAtAWholeCharacter) {
  for (std::size_t most = 3; most < 40; ++most) {
    auto text = python_repr(Json("ééé中中中😀😀😀"), most);
    EXPECT_LE(text.size(), most);
    EXPECT_TRUE(is_utf8(text));
    EXPECT_EQ(text.ends_with("..."), most < 29) << text;
  }
  EXPECT_EQ(python_repr(Json(std::string(5'000, 'x'))).size(), max_repr);
  EXPECT_EQ(python_repr(std::string_view("\xff\xc3")), "'\uFFFD\uFFFD'");
}

}  // namespace
}  // namespace segments::celery
