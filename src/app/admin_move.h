// `segments admin move`: everything that is kept, from one machine's folder to the cloud, or back.
#pragma once

#include <ostream>

#include "app/config.h"

namespace segments {

enum class Place { embedded, aws };  // SQLite and a folder; DynamoDB and S3
BOOST_DESCRIBE_ENUM(Place, embedded, aws)

struct MoveOptions {
  Place from = Place::embedded, to = Place::aws;
  bool only_compares = false;  // writes nothing
  bool overwrites = false;     // a target that holds something else
  bool leaves_tasks = false;   // tasks that are not ended are no fault
  bool shows_secret = false;   // that tokens are signed with
};

// The exit code: 1 where the target is not what the source is, the source was written to meanwhile, or its
// queue holds tasks. May be ended at any moment and begun again.
int move_everything(const Config&, const MoveOptions&, std::ostream&);

}  // namespace segments
