#include "sqlite/stored_json.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "describe/encode.h"

namespace segments::sqlite {

namespace {

using Texts = std::vector<std::string>;

Texts read_texts(std::string_view json) {
  Texts texts{"of before"};
  read_stored(texts, json);
  return texts;
}

}  // namespace

TEST(StoredJson, ReadsTextsAsTheyWereWritten) {
  for (const Texts& texts : {Texts{}, Texts{""}, Texts{"", ""}, Texts{"walk"}, Texts{"walk", "morning"},
                             Texts{"a,b", "]", "[", ",", " "}, Texts{"Größe", "日本", "\xf0\x9f\x8e\xac"},
                             Texts{"a \"quoted\" one", "plain"}, Texts{"back\\slash", "\\"},
                             Texts{"plain", "line\nbreak", "\x01"}, Texts{"\",\"", "\"]"}})
    EXPECT_EQ(read_texts(encode(texts)), texts) << encode(texts);
}

TEST(StoredJson, ReadsOtherJsonOfTheSameTexts) {
  EXPECT_EQ(read_texts(""), Texts{});
  EXPECT_EQ(read_texts("[ ]"), Texts{});
  EXPECT_EQ(read_texts("[\"a\", \"b\"]"), (Texts{"a", "b"}));
  EXPECT_EQ(read_texts("[\"a\" ,\"b\"]"), (Texts{"a", "b"}));
  EXPECT_EQ(read_texts(" [\"a\",\"\\u0062\"] "), (Texts{"a", "b"}));
}

TEST(StoredJson, RefusesWhatIsNone) {
  for (const char* text : {"[\"]", "[\"a\"", "\"a\"]", "[\"a\"\"b\"]", "[\"a\",]", "[\"a\",\"]", "[a]", "{}",
                           "[1]", "[\"a\"],\"b\"]"}) {
    try {
      read_texts(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::internal) << text;
    }
  }
}

}  // namespace segments::sqlite
