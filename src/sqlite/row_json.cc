#include "sqlite/row_json.h"

#include "sqlite/binding.h"

namespace segments::sqlite {

namespace {

template <class M>
void print_column(TextSink& out, Statement& row, int column) {
  if constexpr (std::is_same_v<M, std::string>) {
    encode_string(out, row.text(column));
  } else if constexpr (std::is_same_v<M, std::optional<std::string>>) {
    if (const auto text = row.text(column); text.data())
      encode_string(out, text);
    else
      out += "null";
  } else if constexpr (VectorOf<M>::value) {
    const auto json = row.text(column);
    // It was written by encode(). What can be told at a glance to be what encode() would write again is.
    if (json == "[]" || (std::is_same_v<M, std::vector<std::string>> && are_plain_texts(json))) {
      out += json;
      return;
    }
    M value;
    read_stored(value, json);
    encode(out, value);
  } else {
    M value{};
    read_column(row, column, value);
    encode(out, value);
  }
}

}  // namespace

void print_row(TextSink& out, Statement& row, const PrintThumbnail& print_thumbnail) {
  int column = 0;
  encode_each_member<Segment>(out, [&](auto member) {
    const int at = column++;
    if constexpr (std::is_same_v<decltype(member), std::optional<std::string> Segment::*>) {
      if (member == &Segment::thumbnail_url) {
        if (const auto key = row.text(at); key.data()) return print_thumbnail(out, key);
      }
    }
    print_column<std::remove_cvref_t<decltype(std::declval<Segment&>().*member)>>(out, row, at);
  });
}

}  // namespace segments::sqlite
