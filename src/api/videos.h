// Videos: the user's list, one of them, and their removal with all that was made of them.
#pragma once

#include "http/request.h"
#include "http/response.h"
#include "services/services.h"

namespace segments {

Response list_videos(const Request&, Services&);        // GET /api/videos
Response get_video(const Request&, Services&);          // GET /api/videos/{video_id}
Response remove_video(const Request&, Services&);       // DELETE /api/videos/{video_id}
Response presign_video_url(const Request&, Services&);  // POST /api/videos/url

}  // namespace segments
