// The embedded object store's own presigned addresses. The signature alone decides: these routes ask for no
// user.
#pragma once

#include <memory>

#include "http/request.h"
#include "http/response.h"
#include "http/router.h"
#include "services/services.h"

namespace segments {

Response send_media(const Request&, Services&);                      // GET and HEAD /media/{key...}
std::unique_ptr<BodySink> receive_media(const Request&, Services&);  // PUT /media/{key...}

}  // namespace segments
