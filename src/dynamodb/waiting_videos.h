// Videos that wait for their task. As with posts that are due (followed_posts.h), what is true stands in the
// item of the video, and a hint of its own, written before, lets it be found: by the video's id, with a token
// by which a hint that was found stale is told from one that was written anew since.
#pragma once

#include <string_view>
#include <vector>

#include "dynamodb/table.h"
#include "store/video_store.h"

namespace segments::dynamodb {

// Before a video becomes QUEUED.
void put_waiting_hint(Table&, std::string_view video_id);

// VideoStore's verb.
std::vector<WaitingVideo> list_waiting_videos(Table&, Millis before, std::string_view after,
                                              std::size_t limit);

}  // namespace segments::dynamodb
