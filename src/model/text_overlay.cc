#include <algorithm>

#include "base/text.h"
#include "model/cutting.h"

namespace segments {

namespace {

using Texts = std::vector<std::string>;

// Wordings that say the same, either way round.
struct Pair {
  std::string_view longer, shorter;
};
constexpr Pair wordings[] = {
    {"do not", "don't"},     {"does not", "doesn't"},  {"did not", "didn't"},
    {"cannot", "can't"},     {"will not", "won't"},    {"is not", "isn't"},
    {"are not", "aren't"},   {"it is", "it's"},        {"that is", "that's"},
    {"you are", "you're"},   {"you will", "you'll"},   {"we are", "we're"},
    {"they are", "they're"}, {"let us", "let's"},      {"what is", "what's"},
    {"here is", "here's"},   {"look at", "check out"}, {"and", "&"},
};

// What stands around a text. It marks a piece off from the next one and says nothing.
struct Frame {
  std::string_view before, after;
};
constexpr Frame frames[] = {{"", ""},   {"▶ ", ""}, {"— ", " —"}, {"★ ", " ★"},
                            {"“", "”"}, {"→ ", ""}, {"• ", " •"}, {"» ", " «"}};
constexpr std::size_t most_plain = 200;  // variations before framing: each is compared with all others
constexpr std::size_t most_orders = 8;
constexpr std::string_view endings[] = {".", "!", "…", ""};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

// `from` as whole words becomes `to`, keeping a capital at its beginning; "" when it does not occur.
std::string reworded(const std::string& text, std::string_view from, std::string_view to) {
  std::string lower = lower_ascii(text), out;
  std::size_t copied = 0;
  for (auto at = lower.find(from); at != lower.npos; at = lower.find(from, at + 1)) {
    auto end = at + from.size();
    bool whole = (at == 0 || !is_word_character(lower[at - 1])) &&
                 (end == lower.size() || !is_word_character(lower[end]));
    if (!whole || at < copied) continue;
    out.append(text, copied, at - copied);
    auto first = out.size();
    out += to;
    if (is_upper(text[at]) && to[0] >= 'a' && to[0] <= 'z') out[first] = static_cast<char>(to[0] - 32);
    copied = end;
  }
  if (copied == 0) return "";
  return out.append(text, copied);
}

void add_text_once(Texts& texts, std::string text) {
  if (!text.empty() && std::find(texts.begin(), texts.end(), text) == texts.end())
    texts.push_back(std::move(text));
}

Texts sentences_of(const std::string& text) {
  Texts sentences;
  std::size_t from = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    bool ends = (text[i] == '.' || text[i] == '!' || text[i] == '?') && text[i + 1] == ' ';
    if (!ends) continue;
    add_text_once(sentences, std::string(trim(std::string_view(text).substr(from, i + 1 - from))));
    from = i + 1;
  }
  add_text_once(sentences, std::string(trim(std::string_view(text).substr(from))));
  return sentences;
}

// The sentences begun at each of them in turn. Only a text whose last sentence is closed too can be turned.
Texts orders_of(const std::string& base) {
  Texts orders{base};
  auto sentences = sentences_of(base);
  bool closed = !base.empty() && std::string_view(".!?").find(base.back()) != std::string_view::npos;
  if (sentences.size() < 2 || !closed) return orders;
  for (std::size_t first = 1; first < std::min(sentences.size(), most_orders); ++first) {
    std::rotate(sentences.begin(), sentences.begin() + 1, sentences.end());
    std::string joined;
    for (const auto& sentence : sentences) joined += (joined.empty() ? "" : " ") + sentence;
    add_text_once(orders, joined);
  }
  return orders;
}

Texts wordings_of(const std::string& text) {
  Texts found{text};
  for (const auto& [longer, shorter] : wordings) {
    add_text_once(found, reworded(text, longer, shorter));
    add_text_once(found, reworded(text, shorter, longer));
  }
  return found;
}

Texts endings_of(const std::string& text) {
  Texts found{text};
  // A question stays one, and a text that ends in a number or a symbol is left as it is.
  auto bare = std::string_view(text);
  while (!bare.empty() && (bare.back() == '.' || bare.back() == '!')) bare.remove_suffix(1);
  bool is_word =
      !bare.empty() && is_word_character(bare.back()) && !(bare.back() >= '0' && bare.back() <= '9');
  if (!is_word || bare.ends_with("…")) return found;
  for (auto ending : endings) add_text_once(found, std::string(bare) + std::string(ending));
  return found;
}

// At most `count` different texts, the base text itself first.
Texts variations_of(const std::string& base, std::size_t count) {
  Texts found{base};
  Texts plain;
  for (const auto& order : orders_of(base))
    for (const auto& wording : wordings_of(order))
      for (const auto& ending : endings_of(wording))
        if (plain.size() < std::min(count, most_plain)) add_text_once(plain, ending);
  for (const auto& frame : frames)
    for (const auto& text : plain) {
      if (found.size() >= count) return found;
      add_text_once(found, std::string(frame.before) + text + std::string(frame.after));
    }
  return found;
}

}  // namespace

std::vector<std::string> plan_texts(std::optional<TextStrategy> strategy, const TextInput& input,
                                    std::size_t count) {
  Texts texts(count);
  std::string base(trim(input.base_text.value_or("")));
  if (!strategy) strategy = input.strategy;
  if (!strategy) strategy = base.empty() ? TextStrategy::unique_for_all : TextStrategy::one_for_all;
  switch (*strategy) {
    case TextStrategy::one_for_all:
      std::fill(texts.begin(), texts.end(), base);
      break;
    case TextStrategy::base_vary: {
      if (base.empty()) break;
      auto variations = variations_of(base, count);
      for (std::size_t i = 0; i < count; ++i) texts[i] = variations[i % variations.size()];
      break;
    }
    case TextStrategy::unique_for_all:
      if (!input.unique_texts) break;
      for (std::size_t i = 0; i < count && i < input.unique_texts->size(); ++i)
        texts[i] = trim((*input.unique_texts)[i]);
      break;
  }
  return texts;
}

}  // namespace segments
