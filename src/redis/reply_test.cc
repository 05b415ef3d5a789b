#include "redis/reply.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace segments::redis {
namespace {

std::string shown(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil:
      return "nil";
    case Reply::Kind::integer:
      return std::to_string(reply.integer);
    case Reply::Kind::text:
      return "'" + reply.text + "'";
    case Reply::Kind::error:
      return "!" + reply.text;
    case Reply::Kind::array:
      break;
  }
  std::string out = "[";
  for (const auto& item : reply.items) out += shown(item) + " ";
  return out + "]";
}

std::vector<std::string> read_pieces(const std::vector<std::string_view>& pieces) {
  ReplyReader reader;
  std::vector<std::string> out;
  for (auto piece : pieces) {
    reader.feed(piece);
    while (auto reply = reader.read()) out.push_back(shown(*reply));
  }
  out.push_back(reader.is_empty() ? "end" : "more");
  return out;
}

using Texts = std::vector<std::string>;

const std::string every_kind =
    "+OK\r\n-ERR "
    "no\r\n:-9223372036854775808\r\n:9223372036854775807\r\n$5\r\na\r\nb\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n$1\r\nx\r\n*2\r\n:1\r\n*1\r\n$-1\r\n-E\r\n+\r\n";
const Texts every_kind_shown = {"'OK'",
                                "!ERR no",
                                "-9223372036854775808",
                                "9223372036854775807",
                                "'a\r\nb\n'",
                                "''",
                                "nil",
                                "nil",
                                "[]",
                                "['x' [1 [nil ] ] !E ]",
                                "''",
                                "end"};

TEST(ReplyReader, ReadsEveryKind) {
  EXPECT_EQ(read_pieces({every_kind}), every_kind_shown);
}

TEST(ReplyReader, ReadsTheSameCutAnywhere) {
  std::string_view all = every_kind;
  for (std::size_t i = 0; i <= all.size(); ++i)
    for (std::size_t j = i; j <= all.size(); ++j)
      ASSERT_EQ(read_pieces({all.substr(0, i), all.substr(i, j - i), all.substr(j)}), every_kind_shown)
          << i << " " << j;
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < all.size(); ++i) bytes.push_back(all.substr(i, 1));
  EXPECT_EQ(read_pieces(bytes), every_kind_shown);
}

TEST(ReplyReader, KnowsThatMoreIsToCome) {
  for (std::string_view begun : {"+", "$3\r\n", "$3\r\nabc\r", "*1\r\n", "*2\r\n:1\r\n"})
    EXPECT_EQ(read_pieces({begun}), Texts{"more"}) << begun;
}

TEST(ReplyReader, RefusesWhatIsNotResp) {
  const std::string deep16 = [] {
    std::string out;
    for (int i = 0; i < 16; ++i) out += "*1\r\n";
    return out;
  }();
  EXPECT_EQ(read_pieces({deep16 + ":1\r\n"}).size(), 2u);
  const std::string hostile[] = {"HTTP/1.1 400 Bad Request\r\n",
                                 "\r\n",
                                 "\n",
                                 std::string(1, '\0'),
                                 "%1\r\n",
                                 "+a\n",
                                 "+a\rb\r\n",
                                 "+a\r\r\n",
                                 ":\r\n",
                                 ":1x\r\n",
                                 ":+1\r\n",
                                 ": 1\r\n",
                                 ":9223372036854775808\r\n",
                                 ":" + std::string(64, '1'),
                                 "$-2\r\n",
                                 "$536870913\r\n",
                                 "$99999999999999999999\r\n",
                                 "$3\r\nabcd\r\n",
                                 "$3\r\nabc\n\n",
                                 "*-2\r\n",
                                 "*16777217\r\n",
                                 deep16 + "*1\r\n",
                                 deep16 + "*0\r\n",
                                 "+" + std::string((1 << 20) + 1, 'a')};
  for (const auto& bytes : hostile) {
    try {
      read_pieces({bytes});
      ADD_FAILURE() << bytes.substr(0, 40);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::internal);
    }
  }
}

TEST(ReplyReader, TakesNoMemoryForWhatIsOnlyAnnounced) {
  // 16 arrays of 2^24 and a string of 512 MiB each: terabytes, if they were believed.
  std::vector<ReplyReader> readers(200);
  for (auto& reader : readers) {
    for (int i = 0; i < 16; ++i) reader.feed("*16777216\r\n");
    reader.feed("$536870912\r\nx");
    EXPECT_FALSE(reader.read());
  }
}

TEST(ReplyReader, ReadsLargeRepliesThatComeInManyPieces) {
  // Searched or moved once a piece, this would be 10^11 bytes.
  const std::string big(8 << 20, 'x');
  ReplyReader reader;
  reader.feed("*2\r\n$" + std::to_string(big.size()) + "\r\n");
  for (std::size_t i = 0; i < big.size(); i += 64) {
    reader.feed(std::string_view(big).substr(i, 64));
    ASSERT_FALSE(reader.read());
  }
  reader.feed("\r\n*400000\r\n");
  for (int i = 0; i < 400'000; ++i) {
    ASSERT_FALSE(reader.read());
    reader.feed(":1\r\n");
  }
  auto reply = reader.read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->items.at(0).text, big);
  EXPECT_EQ(reply->items.at(1).items.size(), 400'000u);
  EXPECT_TRUE(reader.is_empty());
}

}  // namespace
}  // namespace segments::redis
