// What one router keeps between requests besides the services: event subscribers, limits, the last readiness
// report.
#pragma once

#include "api/auth.h"
#include "api/events.h"
#include "api/rate_limit.h"
#include "api/readiness.h"
#include "services/services.h"

namespace segments {

struct Api {
  explicit Api(Services& s)
      : services(s),
        admission(s.settings, s.metrics),
        syncs(s.settings.social_syncs_per_minute),
        events(s.events, s.videos, s.metrics),
        readiness(s) {}

  Services& services;
  Admission admission;
  RateLimit syncs;  // by user
  EventHub events;
  Readiness readiness;
};

}  // namespace segments
