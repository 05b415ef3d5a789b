// Uploads: where a video's bytes go, and what is made of them.
#pragma once

#include "http/request.h"
#include "http/response.h"
#include "services/services.h"

namespace segments {

Response initiate_upload(const Request&, Services&);            // POST /api/upload/initiate
Response initiate_multipart_upload(const Request&, Services&);  // POST /api/upload/initiate-multipart
Response presign_upload_part(const Request&, Services&);        // POST /api/upload/part
Response finalize_multipart_upload(const Request&, Services&);  // POST /api/upload/finalize-multipart
Response abort_multipart_upload(const Request&, Services&);     // POST /api/upload/abort-multipart
Response complete_upload(const Request&, Services&);            // POST /api/upload/complete
Response complete_multipart_upload(const Request&, Services&);  // POST /api/upload/complete-multipart
Response analyze_duration(const Request&, Services&);           // POST /api/video/analyze-duration

}  // namespace segments
