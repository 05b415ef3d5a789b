// The one page of /docs: lists the routes of /openapi.json and lets one try them. It loads nothing from
// elsewhere.
#pragma once

#include <string>
#include <string_view>

namespace segments {

// `nonce` marks the style and the script that the answer's Content-Security-Policy lets run.
std::string make_docs_page(std::string_view nonce);

}  // namespace segments
