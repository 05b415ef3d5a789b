// What every ObjectStore does. An implementation instantiates the suite with a function that opens a fresh,
// empty store:
//   INSTANTIATE_TEST_SUITE_P(Directory, ObjectStoreContract, ::testing::Values(ObjectStoreFactory{…}));
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "objects/object_store.h"

namespace segments {

struct OpenedObjectStore {
  std::shared_ptr<ObjectStore> store;
  // Puts one part of a multipart upload as a client does through its presigned address; its ETag.
  std::function<std::string(const std::string& key, const std::string& upload_id, int number,
                            std::string_view bytes)>
      put_part;
};
struct ObjectStoreFactory {
  const char* name;
  std::function<OpenedObjectStore()> open;
};
inline void PrintTo(const ObjectStoreFactory& factory, std::ostream* out) {
  *out << factory.name;
}

class ObjectStoreContract : public ::testing::TestWithParam<ObjectStoreFactory> {
 protected:
  ObjectStoreContract() : opened_(GetParam().open()), store_(*opened_.store) {}

  ObjectInfo put(const std::string& key, std::string_view bytes, const std::string& type = "video/mp4") {
    auto writer = store_.write_object(key, type);
    writer->write(bytes);
    return writer->commit();
  }
  std::string read(const std::string& key) { return store_.read_object(key, 0, 1 << 30); }
  // These bytes, with so many more that they may be a part which is not the last.
  std::string part(std::string bytes) const {
    auto least = static_cast<std::size_t>(store_.traits().smallest_part);
    if (bytes.size() < least) bytes.resize(least, '.');
    return bytes;
  }
  std::vector<std::string> keys(const std::string& prefix, const std::string& after = "",
                                std::size_t limit = 1000) {
    std::vector<std::string> found;
    for (const auto& info : store_.list_objects(prefix, after, limit)) found.push_back(info.key);
    return found;
  }
  static ErrorKind kind_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::internal;
  }
  static std::vector<std::string> faults_of(const std::function<void()>& action) {
    std::vector<std::string> pointers;
    try {
      action();
    } catch (const Error& error) {
      for (const auto& fault : error.faults()) pointers.push_back(fault.pointer);
    }
    return pointers;
  }

  OpenedObjectStore opened_;
  ObjectStore& store_;
};

TEST_P(ObjectStoreContract, KeepsBytesSizeTypeAndEtag) {
  auto put_info = put("uploads/v1/clip.mp4", "some bytes", "video/webm");
  auto info = store_.find_object("uploads/v1/clip.mp4");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->key, "uploads/v1/clip.mp4");
  EXPECT_EQ(info->size, 10);
  EXPECT_EQ(info->content_type, "video/webm");
  EXPECT_EQ(info->etag, put_info.etag);
  EXPECT_TRUE(info->etag.size() > 2 && info->etag.front() == '"' && info->etag.back() == '"') << info->etag;
  EXPECT_NEAR(static_cast<double>(info->modified), static_cast<double>(now_ms()), 60'000);
  EXPECT_EQ(read("uploads/v1/clip.mp4"), "some bytes");
  EXPECT_FALSE(store_.find_object("uploads/v1/other.mp4"));
  EXPECT_FALSE(store_.find_object("uploads/v1"));
  EXPECT_FALSE(store_.find_object("uploads"));
}

TEST_P(ObjectStoreContract, ReadsRanges) {
  put("a", "0123456789");
  EXPECT_EQ(store_.read_object("a", 3, 4), "3456");
  EXPECT_EQ(store_.read_object("a", 8, 100), "89");
  EXPECT_EQ(store_.read_object("a", 10, 5), "");
  EXPECT_EQ(store_.read_object("a", 1000, 5), "");
  EXPECT_EQ(store_.read_object("a", -3, 2), "01");
  EXPECT_EQ(store_.read_object("a", 4, -1), "");
  constexpr auto far = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(store_.read_object("a", 6, far), "6789");
  EXPECT_EQ(store_.read_object("a", far, far), "");
  EXPECT_EQ(kind_of([&] { store_.read_object("b", 0, 1); }), ErrorKind::not_found);
  put("empty", "");
  EXPECT_EQ(store_.find_object("empty")->size, 0);
  EXPECT_EQ(read("empty"), "");
}

TEST_P(ObjectStoreContract, NothingIsThereBeforeCommit) {
  {
    auto writer = store_.write_object("a/b", "video/mp4");
    writer->write("half");
    EXPECT_FALSE(store_.find_object("a/b"));
  }
  EXPECT_FALSE(store_.find_object("a/b"));
  EXPECT_EQ(keys("").size(), 0u);
}

TEST_P(ObjectStoreContract, ReplacesAsAWhole) {
  auto first = put("a", "first", "text/plain");
  auto second = put("a", "the second", "video/mp4");
  EXPECT_NE(first.etag, second.etag);
  EXPECT_EQ(read("a"), "the second");
  EXPECT_EQ(store_.find_object("a")->content_type, "video/mp4");
  EXPECT_EQ(keys("").size(), 1u);
}

TEST_P(ObjectStoreContract, RemovesOnce) {
  put("x/y/z", "1");
  put("x/y", "2");
  EXPECT_TRUE(store_.remove_object("x/y/z"));
  EXPECT_FALSE(store_.remove_object("x/y/z"));
  EXPECT_FALSE(store_.remove_object("never"));
  EXPECT_FALSE(store_.find_object("x/y/z"));
  EXPECT_EQ(read("x/y"), "2");
}

TEST_P(ObjectStoreContract, TakesEveryKeyThatIsAllowed) {
  std::vector<std::string> all = {
      "a",
      "a/b",
      "a/b/c",
      "a+",
      "a+/b",
      "a+/b+",
      "+",
      "+/+",
      "++",
      "%",
      "%25",
      "%2B",
      "a%2B",
      "a%~",
      "a%~/b",
      "100% real.mp4",
      "...",
      ".../..x",
      ".hidden",
      "a b/c d",
      "it's \"quoted\" <&>;$(x)`y`|*?",
      "CON",
      "~",
      "-rf",
      "Ünï/😀 clip 🎬.mp4",
      std::string(900, 'k'),
      std::string(300, 'd') + "/" + std::string(300, 'f'),
      std::string(300, 'd'),
      std::string(300, '+'),
      std::string(300, '%') + "/" + std::string(300, '+'),
      std::string(240, '.') + ".",
      std::string(240, '.') + "..",
      std::string(241, '.') + "./" + std::string(242, '.'),
      std::string(480, '.'),
      std::string(238, 'x') + "😀😀😀😀",
      std::string(239, 'x') + "+",
      std::string(240, 'x') + "+",
      std::string(240, 'x') + "%+",
      std::string(240, 'x') + "/" + std::string(240, 'y'),
  };
  std::string deep = "p";
  while (deep.size() + 2 <= 900) deep += "/p";
  all.push_back(deep);
  for (const auto& key : all) put(key, "bytes of " + key, "x/" + std::to_string(key.size()));
  for (const auto& key : all) {
    EXPECT_EQ(read(key), "bytes of " + key);
    EXPECT_EQ(store_.find_object(key)->content_type, "x/" + std::to_string(key.size()));
  }
  std::set<std::string> sorted(all.begin(), all.end());
  EXPECT_EQ(sorted.size(), all.size());
  EXPECT_EQ(keys(""), std::vector<std::string>(sorted.begin(), sorted.end()));
  for (const auto& key : all) EXPECT_TRUE(store_.remove_object(key)) << key;
  EXPECT_EQ(keys("").size(), 0u);
}

TEST_P(ObjectStoreContract, RefusesKeysThatCouldLeaveTheStore) {
  using namespace std::string_literals;
  for (const std::string& key :
       {""s, "/"s, "/a"s, "a/"s, "a//b"s, "."s, ".."s, "../a"s, "a/../b"s, "a/./b"s, "a/.."s, "a\\b"s,
        "..\\a"s, "a\nb"s, "a\0b"s, "\x7f"s, "\xff"s, "a\xc0\xaf"s, std::string(901, 'k')}) {
    EXPECT_EQ(kind_of([&] { store_.write_object(key, "video/mp4"); }), ErrorKind::invalid) << key;
    EXPECT_EQ(kind_of([&] { store_.find_object(key); }), ErrorKind::invalid) << key;
    EXPECT_EQ(kind_of([&] { store_.remove_object(key); }), ErrorKind::invalid) << key;
    EXPECT_EQ(kind_of([&] { store_.presign({.key = key}); }), ErrorKind::invalid) << key;
    EXPECT_EQ(kind_of([&] { store_.begin_upload(key, "video/mp4"); }), ErrorKind::invalid) << key;
  }
}

TEST_P(ObjectStoreContract, ListsByPrefixInTheOrderOfKeys) {
  std::vector<std::string> all = {"a",     "a-b",  "a.mp4", "a/1",   "a/1/x", "a/10", "a/2",
                                  "a/2/y", "a/20", "a0",    "b/c/d", "b/c/e", "ä/z"};
  for (auto key = all.rbegin(); key != all.rend(); ++key) put(*key, "x");
  EXPECT_EQ(keys(""), all);
  EXPECT_EQ(keys("a/"), (std::vector<std::string>{"a/1", "a/1/x", "a/10", "a/2", "a/2/y", "a/20"}));
  EXPECT_EQ(keys("a/1"), (std::vector<std::string>{"a/1", "a/1/x", "a/10"}));
  EXPECT_EQ(keys("a/1/"), (std::vector<std::string>{"a/1/x"}));
  EXPECT_EQ(keys("b"), (std::vector<std::string>{"b/c/d", "b/c/e"}));
  EXPECT_EQ(keys("c").size(), 0u);
  EXPECT_EQ(keys("a//").size(), 0u);
  EXPECT_EQ(keys("../").size(), 0u);
  EXPECT_EQ(keys("a/../b/").size(), 0u);
  // Page by page the same as at once, from every place.
  for (std::size_t limit = 1; limit < 5; ++limit) {
    std::vector<std::string> paged;
    for (std::string after;;) {
      auto page = keys("", after, limit);
      EXPECT_LE(page.size(), limit);
      if (page.empty()) break;
      paged.insert(paged.end(), page.begin(), page.end());
      after = page.back();
    }
    EXPECT_EQ(paged, all);
  }
  EXPECT_EQ(keys("a/", "a/1zzz"), (std::vector<std::string>{"a/2", "a/2/y", "a/20"}));
  EXPECT_EQ(keys("", "", 0).size(), 0u);
}

TEST_P(ObjectStoreContract, PutsAndReadsLocalFiles) {
  auto file = std::filesystem::temp_directory_path() / ("segments-put-" + std::to_string(::getpid()));
  std::ofstream(file) << std::string(100'000, 'm');
  auto info = store_.put_file("processed/v/segment_001.mp4", file, "video/mp4");
  std::filesystem::remove(file);
  EXPECT_EQ(info.size, 100'000);
  EXPECT_EQ(read("processed/v/segment_001.mp4"), std::string(100'000, 'm'));
  EXPECT_FALSE(store_.readable_location("processed/v/segment_001.mp4").empty());
  EXPECT_EQ(kind_of([&] { store_.readable_location("processed/v/none.mp4"); }), ErrorKind::not_found);
}

TEST_P(ObjectStoreContract, JoinsPartsInTheirOrder) {
  std::string key = "uploads/v/big.mp4";
  std::string id = store_.begin_upload(key, "video/quicktime");
  std::string one = part(std::string(300'000, '1')), two = part("second ");
  std::string second = opened_.put_part(key, id, 2, two);
  std::string tenth = opened_.put_part(key, id, 10, "tenth");
  std::string first = opened_.put_part(key, id, 1, one);
  EXPECT_FALSE(store_.find_object(key));
  EXPECT_EQ(keys("").size(), 0u);
  std::vector<UploadPart> parts = {{1, first}, {2, second}, {10, tenth}};
  auto info = store_.complete_upload(key, id, parts);
  std::string joined = one + two + "tenth";
  EXPECT_TRUE(read(key) == joined);
  EXPECT_EQ(info.size, static_cast<std::int64_t>(joined.size()));
  EXPECT_EQ(info.content_type, "video/quicktime");
  // Again, with the same parts, with quotes stripped, and with none: the same answer.
  for (auto& part : parts) part.etag = part.etag.substr(1, part.etag.size() - 2);
  for (const auto& again : {parts, std::vector<UploadPart>{}}) {
    auto repeated = store_.complete_upload(key, id, again);
    EXPECT_EQ(repeated.etag, info.etag);
    EXPECT_EQ(repeated.size, info.size);
  }
  EXPECT_EQ(store_.find_object(key)->etag, info.etag);
  EXPECT_FALSE(store_.abort_upload(key, id));
  EXPECT_TRUE(read(key) == joined);
}

TEST_P(ObjectStoreContract, APartPutAgainReplacesTheOther) {
  std::string key = "uploads/v/big.mp4";
  std::string id = store_.begin_upload(key, "video/mp4");
  std::string cut_off = opened_.put_part(key, id, 1, "cut o");
  std::string whole = opened_.put_part(key, id, 1, "whole");
  EXPECT_NE(cut_off, whole);
  EXPECT_EQ(faults_of([&] {
              store_.complete_upload(key, id, {{1, cut_off}});
            }),
            (std::vector<std::string>{"/parts/0/ETag"}));
  store_.complete_upload(key, id, {{1, whole}});
  EXPECT_EQ(read(key), "whole");
}

TEST_P(ObjectStoreContract, NamesEveryFaultOfAListOfParts) {
  std::string key = "uploads/v/big.mp4";
  std::string id = store_.begin_upload(key, "video/mp4");
  std::string one = opened_.put_part(key, id, 1, part("1"));
  std::string two = opened_.put_part(key, id, 2, "2");
  EXPECT_EQ(faults_of([&] { store_.complete_upload(key, id, {}); }), (std::vector<std::string>{"/parts"}));
  EXPECT_EQ(faults_of([&] { store_.complete_upload(key, id, {{1, two}, {2, ""}, {3, one}}); }).size(), 3u);
  EXPECT_EQ(faults_of([&] { store_.complete_upload(key, id, {{2, two}, {1, one}}); }).size(), 1u);
  EXPECT_EQ(faults_of([&] { store_.complete_upload(key, id, {{1, one}, {1, one}}); }).size(), 1u);
  EXPECT_EQ(faults_of([&] {
              store_.complete_upload(key, id, {{0, one}, {-1, one}, {10'001, one}});
            }).size(),
            3u);
  EXPECT_FALSE(store_.find_object(key));
  store_.complete_upload(key, id, {{1, one}, {2, two}});
  EXPECT_TRUE(read(key) == part("1") + "2");
}

TEST_P(ObjectStoreContract, UnknownUploadsAreNotFound) {
  std::string key = "uploads/v/big.mp4";
  std::string id = store_.begin_upload(key, "video/mp4");
  std::string etag = opened_.put_part(key, id, 1, "1");
  for (const std::string& other :
       {std::string(), std::string("../../by-key"), std::string(32, '0'), id + "x", std::string("\0", 1)}) {
    EXPECT_EQ(kind_of([&] { store_.complete_upload(key, other, {{1, etag}}); }), ErrorKind::not_found);
    EXPECT_FALSE(store_.abort_upload(key, other));
  }
  EXPECT_EQ(kind_of([&] {
              store_.complete_upload("uploads/v/other.mp4", id, {{1, etag}});
            }),
            ErrorKind::not_found);
  EXPECT_FALSE(store_.abort_upload("uploads/v/other.mp4", id));
  EXPECT_TRUE(store_.is_upload_open(key, id));
  EXPECT_FALSE(store_.is_upload_open("uploads/v/other.mp4", id));
  EXPECT_FALSE(store_.is_upload_open(key, std::string(32, '0')));
  EXPECT_FALSE(store_.is_upload_open(key, "../../by-key"));
  EXPECT_TRUE(store_.abort_upload(key, id));
  EXPECT_FALSE(store_.abort_upload(key, id));
  EXPECT_FALSE(store_.is_upload_open(key, id));
  EXPECT_EQ(kind_of([&] { store_.complete_upload(key, id, {{1, etag}}); }), ErrorKind::not_found);
  EXPECT_ANY_THROW(opened_.put_part(key, id, 2, "late"));
  EXPECT_FALSE(store_.find_object(key));
}

TEST_P(ObjectStoreContract, JoinsNoMoreThanWasAnnounced) {
  std::string key = "uploads/v/big.mp4";
  std::string first = part("123456");
  auto size = static_cast<std::int64_t>(first.size()) + 4;
  std::string id = store_.begin_upload(key, "video/mp4", size);
  std::vector<UploadPart> parts = {{1, opened_.put_part(key, id, 1, first)},
                                   {2, opened_.put_part(key, id, 2, "78901")}};
  EXPECT_EQ(kind_of([&] { store_.complete_upload(key, id, parts); }), ErrorKind::too_large);
  EXPECT_FALSE(store_.find_object(key));
  EXPECT_TRUE(store_.is_upload_open(key, id)) << "a part may be put again";
  parts[1].etag = opened_.put_part(key, id, 2, "7890");
  EXPECT_EQ(store_.complete_upload(key, id, parts).size, size);
  EXPECT_FALSE(store_.is_upload_open(key, id));
  EXPECT_TRUE(read(key) == first + "7890");
}

TEST_P(ObjectStoreContract, WhatIsRefusedLeavesTheUploadAsItWas) {
  std::string key = "uploads/v/big.mp4";
  std::string first = part("123456");
  auto size = static_cast<std::int64_t>(first.size()) + 4;
  std::string id = store_.begin_upload(key, "video/mp4", size);
  std::vector<UploadPart> parts = {{1, opened_.put_part(key, id, 1, first)},
                                   {2, opened_.put_part(key, id, 2, "7890")}};
  auto refusal = [&](const std::vector<UploadPart>& given, const UploadBounds& bounds) {
    ErrorKind kind = kind_of([&] { store_.complete_upload(key, id, given, bounds); });
    EXPECT_FALSE(store_.find_object(key));
    EXPECT_TRUE(store_.is_upload_open(key, id));
    return kind;
  };
  EXPECT_EQ(refusal({parts[0]}, {.exactly = size}), ErrorKind::conflict);
  EXPECT_EQ(refusal({parts[1]}, {.exactly = size}), ErrorKind::conflict);
  EXPECT_EQ(refusal(parts, {.exactly = size - 1}), ErrorKind::conflict);
  EXPECT_EQ(refusal(parts, {.exactly = size + 1}), ErrorKind::conflict);
  EXPECT_EQ(refusal(parts, {.most = size - 1}), ErrorKind::too_large);
  EXPECT_EQ(refusal({{1, parts[0].etag}, {2, "other"}}, {.exactly = size}), ErrorKind::invalid);
  auto info = store_.complete_upload(key, id, parts, {.exactly = size, .most = size});
  EXPECT_TRUE(read(key) == first + "7890");
  // Joined is joined, whatever is asked afterwards.
  EXPECT_EQ(store_.complete_upload(key, id, {parts[0]}, {.exactly = 6}).etag, info.etag);
  EXPECT_TRUE(read(key) == first + "7890");
}

TEST_P(ObjectStoreContract, TakesSmallPartsOrNamesThem) {
  std::string key = "uploads/v/big.mp4";
  std::string id = store_.begin_upload(key, "video/mp4");
  std::string large = part("large");
  std::vector<UploadPart> parts;
  for (int number = 1; number <= 4; ++number)
    parts.push_back({number, opened_.put_part(key, id, number, number == 2 ? large : "small")});
  if (store_.traits().smallest_part > 0) {
    EXPECT_EQ(faults_of([&] { store_.complete_upload(key, id, parts); }),
              (std::vector<std::string>{"/parts/0", "/parts/2"}));
    EXPECT_FALSE(store_.find_object(key));
    for (int number : {1, 3})
      parts[static_cast<std::size_t>(number) - 1].etag = opened_.put_part(key, id, number, large);
    EXPECT_EQ(store_.complete_upload(key, id, parts).size, 3 * store_.traits().smallest_part + 5);
  } else {
    store_.complete_upload(key, id, parts);
    EXPECT_EQ(read(key), "smalllargesmallsmall");
  }
}

TEST_P(ObjectStoreContract, PartsPutAgainWhileTheyAreJoinedAreNotLost) {
  std::string key = "uploads/v/big.mp4";
  const std::string one = part(std::string(100'000, '1'));
  const auto size = static_cast<std::int64_t>(one.size());
  const int rounds = store_.traits().smallest_part > 0 ? 8 : 20;  // of larger parts, fewer
  for (int round = 0; round < rounds; ++round) {
    std::string id = store_.begin_upload(key, "video/mp4");
    std::string first = opened_.put_part(key, id, 1, one);
    std::string second = opened_.put_part(key, id, 2, "two");
    std::string again;
    std::jthread other([&] {
      try {
        again = opened_.put_part(key, id, 2, "second");
      } catch (const std::exception&) {
        // The upload was completed before.
      }
    });
    try {
      store_.complete_upload(key, id, {{1, first}, {2, second}}, {.exactly = size + 3});
      other.join();
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::conflict || error.kind() == ErrorKind::invalid) << error.what();
      other.join();
      EXPECT_FALSE(store_.find_object(key));
      store_.complete_upload(key, id, {{1, first}, {2, again}}, {.exactly = size + 6});
    }
    std::string joined = read(key).substr(one.size());
    EXPECT_TRUE(joined == "two" || joined == "second") << joined;
    store_.remove_object(key);
  }
}

TEST_P(ObjectStoreContract, ManyCompletionsAtOnceMakeOneObject) {
  std::string key = "uploads/v/big.mp4";
  std::string id = store_.begin_upload(key, "video/mp4");
  std::string etag = opened_.put_part(key, id, 1, "bytes");
  std::vector<std::string> etags(16);
  {
    std::vector<std::jthread> threads;
    for (auto& made : etags)
      threads.emplace_back([&] { made = store_.complete_upload(key, id, {{1, etag}}).etag; });
  }
  for (const auto& made : etags) EXPECT_EQ(made, etags[0]);
  EXPECT_EQ(read(key), "bytes");
}

TEST_P(ObjectStoreContract, ReadersSeeOneVersionWhileWritersReplaceAndRemove) {
  std::atomic<bool> stop = false;
  std::atomic<int> seen = 0;
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < 3; ++writer)
    threads.emplace_back([&, writer] {
      for (int i = 0; i < 60; ++i) {
        std::string letter(1, static_cast<char>('a' + (writer * 60 + i) % 26));
        put("v/contended", std::string(1 + i * 100, letter[0]), "x/" + letter);
        if (i % 5 == 0) store_.remove_object("v/contended");
      }
    });
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < 2; ++reader)
    readers.emplace_back([&] {
      while (!stop) {
        try {
          auto bytes = read("v/contended");
          ASSERT_FALSE(bytes.empty());
          EXPECT_EQ(bytes.find_first_not_of(bytes[0]), bytes.npos);
          ++seen;
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::not_found) << error.what();
        }
      }
    });
  threads.clear();
  put("v/contended", "zzzz");
  while (seen == 0) std::this_thread::yield();
  stop = true;
  readers.clear();
  EXPECT_EQ(read("v/contended"), "zzzz");
}

TEST_P(ObjectStoreContract, PresignsWithinBoundsOnly) {
  auto url = store_.presign({.key = "a/b c.mp4", .expires_in_s = 60});
  EXPECT_FALSE(url.url.empty());
  EXPECT_NEAR(static_cast<double>(url.expires), static_cast<double>(now_ms() + 60'000), 2'000);
  EXPECT_EQ(kind_of([&] { store_.presign({.key = "a", .expires_in_s = 0}); }), ErrorKind::invalid);
  EXPECT_EQ(kind_of([&] { store_.presign({.key = "a", .expires_in_s = 604'801}); }), ErrorKind::invalid);
  EXPECT_EQ(kind_of([&] {
              store_.presign({.method = PresignMethod::put, .key = "a", .upload_id = "u", .part_number = 0});
            }),
            ErrorKind::invalid);
  // An address with a fixed end is the same whenever it is asked for.
  Millis end = now_ms() + 100'000;
  EXPECT_EQ(store_.presign({.key = "a", .expires_at = end}).url,
            store_.presign({.key = "a", .expires_at = end}).url);
}

TEST_P(ObjectStoreContract, IsWritable) {
  EXPECT_NE(store_.check_writable(), 0);
}

}  // namespace segments
