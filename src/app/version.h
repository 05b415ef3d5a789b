#pragma once

namespace segments {

constexpr const char* version = "0.1.0";

}  // namespace segments
