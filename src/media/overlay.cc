#include "media/overlay.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace segments {
namespace {

constexpr const char* font_file = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
// DejaVu Sans: mean advance of mixed text, and distance of lines, both of the font's size.
constexpr double character_width = 0.62;
constexpr double line_height = 1.2;

std::size_t sequence_length(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
}

std::vector<std::string> split_characters(const std::string& text) {
  std::vector<std::string> characters;
  for (std::size_t at = 0; at < text.size();) {
    auto length = sequence_length(static_cast<unsigned char>(text[at]));
    std::string character = length > 0 ? text.substr(at, length) : "";
    bool is_whole = !character.empty() && is_utf8(character);
    at += is_whole ? length : 1;
    if (!is_whole) continue;
    if (character == "\t") character = " ";
    if (character == "\n" || !has_control(character)) characters.push_back(std::move(character));
  }
  return characters;
}

int columns_of(const std::string& character) {
  if (character.size() == 4) return 2;  // emoji and rare ideographs
  // From U+1100 on, the three-byte characters are mostly East Asian: E1 84 80 and above, without the
  // punctuation of E2.
  bool is_wide = character.size() == 3 && character >= "\xe1\x84\x80" && !character.starts_with('\xe2');
  return is_wide ? 2 : 1;
}

class Wrapping {
 public:
  explicit Wrapping(int columns) : columns_(columns) {}

  void add(const std::string& character) {
    if (character == "\n") {
      end_word();
      end_line();
    } else if (character == " ") {
      end_word();
    } else {
      if (word_columns_ + columns_of(character) > columns_) end_word();
      word_ += character;
      word_columns_ += columns_of(character);
    }
  }

  std::string finish() {
    end_word();
    end_line();
    while (text_.ends_with('\n')) text_.pop_back();
    text_.erase(0, std::min(text_.find_first_not_of('\n'), text_.size()));
    return text_;
  }

 private:
  void end_word() {
    if (word_.empty()) return;
    if (line_columns_ > 0 && line_columns_ + 1 + word_columns_ > columns_) end_line();
    if (line_columns_ > 0) {
      line_ += ' ';
      ++line_columns_;
    }
    line_ += word_;
    line_columns_ += word_columns_;
    word_.clear();
    word_columns_ = 0;
  }

  void end_line() {
    text_ += line_ + '\n';
    line_.clear();
    line_columns_ = 0;
  }

  int columns_, line_columns_ = 0, word_columns_ = 0;
  std::string text_, line_, word_;
};

}  // namespace

std::string wrap_text(const std::string& text, int columns) {
  Wrapping wrapping(std::max(columns, 2));
  for (const auto& character : split_characters(text)) wrapping.add(character);
  return wrapping.finish();
}

Overlay make_overlay(const std::string& text, int width, int height, const std::string& file) {
  if (access(font_file, R_OK) != 0)
    throw Error(ErrorKind::internal, "The font for texts is missing; install the package fonts-dejavu-core.");
  Overlay overlay;
  int size = std::max(8, std::min(width, height) / 16);
  // A long text gets smaller letters until it leaves the upper half of the picture free.
  for (;; size -= std::max(1, size / 10)) {
    overlay.text = wrap_text(text, static_cast<int>(width * 0.9 / (size * character_width)));
    auto lines = std::count(overlay.text.begin(), overlay.text.end(), '\n') + 1;
    if (size <= 8 || static_cast<double>(lines) * size * line_height <= height * 0.5) break;
  }
  overlay.filter = std::string("drawtext=fontfile=") + font_file + ":textfile=" + file +
                   ":expansion=none:fontcolor=white:fontsize=" + std::to_string(size) +
                   ":box=1:boxcolor=black@0.55:boxborderw=" + std::to_string(std::max(2, size / 3)) +
                   ":x=(w-text_w)/2:y=h-text_h-" + std::to_string(std::max(2, height / 16));
  return overlay;
}

}  // namespace segments
