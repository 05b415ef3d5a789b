// What one router keeps between requests besides the services: event subscribers, limits, answered lists, the
// last readiness report.
#pragma once

#include "api/auth.h"
#include "api/events.h"
#include "api/list_cache.h"
#include "api/rate_limit.h"
#include "api/readiness.h"
#include "services/services.h"

namespace segments {

// The first pages of some five hundred clients that ask again and again.
constexpr std::size_t list_cache_bytes = 16 << 20;

struct Api {
  explicit Api(Services& s)
      : services(s),
        admission(s.settings, s.metrics),
        syncs(s.settings.social_syncs_per_minute),
        lists(list_cache_bytes, s.metrics),
        events(s.events, s.videos, s.metrics),
        readiness(s) {}

  Services& services;
  Admission admission;
  RateLimit syncs;  // by user
  ListCache lists;
  EventHub events;
  Readiness readiness;
};

}  // namespace segments
