#include "dynamodb/item_parser.h"

#include <boost/json/basic_parser_impl.hpp>

#include "base/error.h"

namespace segments::dynamodb {

namespace {

using boost::json::error_code;
using boost::json::string_view;

// What the parser is in: a place to put what comes.
struct Spot {
  enum Kind { answer, item, attribute, list, texts } kind;
  Attribute::Map* map = nullptr;            // of an item
  Attribute* one = nullptr;                 // of an attribute
  Attribute::List* entries = nullptr;       // of a list
  std::vector<std::string>* all = nullptr;  // of a set
};

// Takes what the parser finds. Members of the answer that nobody asked for are counted through.
class Taker {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1), max_array_size = std::size_t(-1),
                               max_key_size = std::size_t(-1), max_string_size = std::size_t(-1);

  Taker(std::string_view member, Item& out) : member_(member), out_(out) { spots_.reserve(8); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& error) {
    if (skipped_ > 0 || is_skipping_) return skip(+1);
    if (spots_.empty()) return enter({.kind = Spot::answer});
    auto& in = spots_.back();
    if (in.kind == Spot::answer) return enter({.kind = Spot::item, .map = &out_});
    if (in.kind == Spot::item) return enter({.kind = Spot::attribute, .one = &(*in.map)[key_]});
    if (in.kind == Spot::list) return enter({.kind = Spot::attribute, .one = &in.entries->emplace_back()});
    if (in.kind == Spot::attribute && key_ == "M")
      return enter({.kind = Spot::item, .map = &in.one->value.emplace<Attribute::Map>()});
    return refuse(error);
  }
  bool on_object_end(std::size_t count, error_code& error) {
    if (skipped_ > 0) return skip(-1);
    const bool is_whole = spots_.back().kind != Spot::attribute || count == 1;
    spots_.pop_back();
    return is_whole || refuse(error);
  }
  bool on_array_begin(error_code& error) {
    if (skipped_ > 0 || is_skipping_) return skip(+1);
    if (spots_.empty() || spots_.back().kind != Spot::attribute) return refuse(error);
    auto& value = spots_.back().one->value;
    if (key_ == "L") return enter({.kind = Spot::list, .entries = &value.emplace<Attribute::List>()});
    if (key_ == "SS") return enter({.kind = Spot::texts, .all = &value.emplace<Attribute::Strings>().items});
    if (key_ == "NS") return enter({.kind = Spot::texts, .all = &value.emplace<Attribute::Numbers>().items});
    if (key_ == "BS") return enter({.kind = Spot::texts, .all = &value.emplace<Attribute::Binaries>().items});
    return refuse(error);
  }
  bool on_array_end(std::size_t, error_code&) {
    if (skipped_ > 0) return skip(-1);
    spots_.pop_back();
    return true;
  }

  bool on_key_part(string_view part, std::size_t, error_code&) { return add(part); }
  bool on_key(string_view part, std::size_t, error_code&) {
    add(part);
    key_.swap(text_);
    text_.clear();
    is_skipping_ = skipped_ == 0 && spots_.back().kind == Spot::answer && key_ != member_;
    return true;
  }
  bool on_string_part(string_view part, std::size_t, error_code&) { return add(part); }
  bool on_string(string_view part, std::size_t, error_code& error) {
    add(part);
    auto text = std::move(text_);
    text_.clear();
    if (is_passed_over()) return true;
    if (spots_.empty()) return refuse(error);
    auto& in = spots_.back();
    if (in.kind == Spot::texts) {
      in.all->push_back(std::move(text));
      return true;
    }
    if (in.kind != Spot::attribute) return refuse(error);
    if (key_ == "S")
      in.one->value = std::move(text);
    else if (key_ == "N")
      in.one->value = Attribute::Number{std::move(text)};
    else if (key_ == "B")
      in.one->value = Attribute::Binary{std::move(text)};
    else
      return refuse(error);
    return true;
  }
  bool on_bool(bool is, error_code& error) {
    if (is_passed_over()) return true;
    if (spots_.empty() || spots_.back().kind != Spot::attribute) return refuse(error);
    auto& value = spots_.back().one->value;
    if (key_ == "BOOL")
      value = is;
    else if (key_ == "NULL")
      value = Attribute::Null{};
    else
      return refuse(error);
    return true;
  }
  // An item has none of these: its numbers are texts.
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code& error) { return is_passed_over() || refuse(error); }
  bool on_uint64(std::uint64_t, string_view, error_code& error) { return is_passed_over() || refuse(error); }
  bool on_double(double, string_view, error_code& error) { return is_passed_over() || refuse(error); }
  bool on_null(error_code& error) { return is_passed_over() || refuse(error); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool add(string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool enter(Spot spot) {
    spots_.push_back(spot);
    return true;
  }
  bool skip(int levels) {
    skipped_ += levels;
    if (skipped_ == 0) is_skipping_ = false;
    return true;
  }
  // A plain value of a member that nobody asked for.
  bool is_passed_over() {
    if (skipped_ > 0) return true;
    return std::exchange(is_skipping_, false);
  }
  static bool refuse(error_code& error) {
    error = boost::json::error::syntax;
    return false;
  }

  const std::string_view member_;
  Item& out_;
  std::vector<Spot> spots_;
  std::string key_, text_;
  int skipped_ = 0;           // levels, within a member that nobody asked for
  bool is_skipping_ = false;  // its value begins
};

}  // namespace

Item parse_item_in(std::string_view answer, std::string_view member) {
  boost::json::parse_options options;
  options.max_depth = 256;  // an item may be 32 levels deep, each of which takes two of JSON
  Item item;
  boost::json::basic_parser<Taker> parser(options, member, item);
  error_code error;
  const auto taken = parser.write_some(false, answer.data(), answer.size(), error);
  // Behind the answer nothing but blanks stands.
  const bool is_all = answer.find_first_not_of(" \t\r\n", taken) == answer.npos;
  if (error || !parser.done() || !is_all)
    throw Error(ErrorKind::unavailable, "DynamoDB sent an item that could not be read.", {}, 1);
  return item;
}

}  // namespace segments::dynamodb
