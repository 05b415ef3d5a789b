// The addresses under which this program serves objects, signed by HMAC-SHA256. A signature covers the method
// and every byte before it, so an address with any one byte changed is refused.
#pragma once

#include <string>
#include <string_view>

#include "objects/object_store.h"

namespace segments {

// Throws Error{invalid} naming each fault of a request to presign, whichever store is asked.
void check_presign(const PresignRequest&);

// "/media/{key}?expires=…&…&signature=…". Throws Error{invalid} for a key, a time or a part number that is
// not taken.
PresignedUrl sign_media_url(std::string_view secret, const PresignRequest&, Millis now);

// What the signed target of a request allows; `expires_at` is set. `http_method` is GET, HEAD or PUT; an
// address for GET admits HEAD. Throws Error{forbidden}: not signed, changed, expired, or of another method.
PresignRequest verify_media_url(std::string_view secret, std::string_view http_method,
                                std::string_view target, Millis now);

}  // namespace segments
