// A text drawn onto a video, for the ffmpeg program's drawtext filter. Inside this room only.
#pragma once

#include <string>

namespace segments {

struct Overlay {
  std::string text;    // wrapped to the frame: the contents of the filter's text file
  std::string filter;  // reads that file from the working directory
};

// For a frame as it is shown. `file` is a plain name. Throws Error{internal} when the font is not installed.
Overlay make_overlay(const std::string& text, int width, int height, const std::string& file);
// Lines of at most `columns` characters, broken between words where there are any. Bytes that are not UTF-8
// and control characters are left out; characters that are twice as wide as Latin ones count for two.
std::string wrap_text(const std::string& text, int columns);

}  // namespace segments
