// One DynamoDB table whose items are known by `video_id` and `segment_id`: DynamoDB's verbs, typed. Calls
// block; any thread may call. What DynamoDB refuses is Error: unavailable where it may go well later
// (aws/client.h has tried again by then), too_large for an item of more than 400 KB, internal for what nobody
// expected.
#pragma once

#include <boost/json/object.hpp>
#include <concepts>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/client.h"
#include "base/later.h"
#include "dynamodb/item.h"

namespace segments::dynamodb {

struct Key {
  std::string video_id, segment_id;
  auto operator<=>(const Key&) const = default;
};
Key key_of(const Item&);
Item item_of(const Key&);

// The names and values of a request's expressions, by placeholders: any attribute's name may be used,
// DynamoDB's reserved words too.
//   Terms terms;
//   auto update = "SET " + terms.name("title") + " = " + terms.value(text("x"));
class Terms {
 public:
  std::string name(std::string_view attribute);  // "#0"; the same name has the same placeholder
  std::string path(std::string_view outer, std::string_view inner) {
    auto path = name(outer) + ".";
    return path + name(inner);
  }
  std::string value(Attribute);  // ":0"
  std::string value(std::string_view value) { return this->value(text(value)); }
  // A template, so that `{true}` is an Attribute and no number.
  template <std::integral T>
  requires(!std::same_as<T, bool>) std::string value(T value) {
    return this->value(number(static_cast<std::int64_t>(value)));
  }

  void encode_into(std::string& request) const;  // `,"ExpressionAttributeNames":…`, as far as there are any

 private:
  std::vector<std::string> names_;
  std::vector<Attribute> values_;
};

// An update expression, part by part. Paths and operands are placeholders' or made of them.
class Changes {
 public:
  void set(std::string_view path, std::string_view operand);
  void add(std::string_view path, std::string_view operand);
  void remove(std::string_view path);
  // Sets the attribute where there is a value, else removes it.
  void put(Terms&, std::string_view path, std::optional<Attribute>);
  std::string text() const;  // "SET #0 = :0, #1 = :1 REMOVE #2"

 private:
  std::string set_, add_, remove_;
};

// What a call took, in DynamoDB's units.
struct Consumption {
  std::string_view operation;
  double table = 0, indexes = 0;
};

// Whether a write may be carried out twice without harm; only then is it sent again after it may have
// arrived.
enum class Repeat { never, safe };

struct Put {
  Item item;
  std::string condition = {};  // empty: in any case
  Terms terms = {};
  Repeat repeat = Repeat::safe;
  bool wants_item = false;  // that was there before
};
struct Update {
  Key key;
  std::string update;  // "SET …"
  std::string condition = {};
  Terms terms = {};
  Repeat repeat = Repeat::never;
  bool wants_item = false;     // as it is afterwards
  bool wants_changed = false;  // only its attributes that were changed
};
struct Remove {
  Key key;
  std::string condition = {};
  Terms terms = {};
  bool wants_item = false;  // as it was before
};

// What became of a write.
struct Written {
  bool is_done = false;  // false: the condition did not hold
  // Not done, but an attempt before this answer may have been: the condition may have failed by our own
  // doing.
  bool may_be_ours = false;
  Item item = {};  // if it was wanted and there is one
};

struct Query {
  std::string index = {};      // empty: the table itself
  std::string condition = {};  // of the keys
  std::string filter = {};
  std::string projection = {};
  Terms terms = {};
  bool is_forward = true;
  bool is_strong = false;  // never with an index
  int limit = 0;           // items read, before the filter; 0: as many as DynamoDB gives at once (1 MB)
  bool is_count = false;   // only their number
  Item from = {};          // begins behind this (ItemPage::last, or the keys of an item)
};
struct ItemPage {
  std::vector<Item> items;
  std::int64_t count = 0, scanned = 0;  // after and before the filter
  Item last = {};                       // where the next page begins; empty: there is none
};

struct Scan {
  std::string index = {};  // empty: the table itself
  std::string filter = {};
  std::string projection = {};
  Terms terms = {};
  bool is_strong = false;
  int limit = 0;
  int part = 0, parts = 1;  // for parallel scans
  Item from = {};
};

class Table {
 public:
  // The client must outlive it. `meter` is told what each call took, by the thread that called; with an empty
  // one DynamoDB is not asked.
  Table(aws::Client&, std::string name, std::function<void(const Consumption&)> meter = {});
  const std::string& name() const { return name_; }
  aws::Client& client() { return client_; }

  std::optional<Item> get(const Key&, bool is_strong = false);
  Later<std::optional<Item>> get_later(const Key&);  // not strong; for whoever does not wait
  Written put(const Put&);
  Written update(const Update&);
  Written remove(const Remove&);
  ItemPage query(const Query&);
  // All pages of it, one after the other. Stops when `take` says false.
  void query_all(Query, const std::function<bool(Item&&)>& take);
  ItemPage scan(const Scan&);
  // Those that are there, in no order. Any number of keys, each once. What DynamoDB left is asked for again.
  std::vector<Item> batch_get(std::span<const Key>, bool is_strong = false);
  // Puts and removes without conditions, any number, each key once. What DynamoDB left is written again,
  // until all is done or Error{unavailable}; then some of it is done.
  void batch_write(const std::vector<Item>& puts, const std::vector<Key>& removals);

  // DynamoDB's answer to any of its operations; `request` is its whole JSON.
  struct Answer {
    boost::json::object body;     // where it was carried out
    std::string error_code = {};  // else
    std::string error_message = {};
    bool may_have_run_before = false;
    bool is_done() const { return error_code.empty(); }
  };
  Answer call(std::string_view operation, std::string request, Repeat);
  // The same for what is never refused; throws what unexpected() gives if it is.
  boost::json::object ask(std::string_view operation, std::string request, Repeat = Repeat::safe);
  // Error for a refusal that the caller does not expect.
  Error unexpected(std::string_view operation, const Answer&) const;

 private:
  std::string begin() const;  // the first members of each request for the table
  std::string get_request(const Key&, bool is_strong) const;
  Item item_of_reply(std::string_view operation, const aws::Reply&, std::string_view member) const;
  void note(std::string_view operation, const boost::json::object& body) const;
  Written write(std::string_view operation, std::string request, Repeat);
  void batch(std::string_view operation, std::string items,
             const std::function<void(boost::json::object&)>& take);

  aws::Client& client_;
  const std::string name_;
  const std::function<void(const Consumption&)> meter_;
};

// Those that are there, as they are at this moment, by their keys; a key may come more than once.
std::map<Key, Item> find_items(Table&, std::vector<Key>);

}  // namespace segments::dynamodb
