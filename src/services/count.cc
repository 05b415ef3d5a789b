#include "services/count.h"

#include "base/error.h"
#include "base/log.h"

namespace segments {

void count(Services& services, const std::string& total) {
  try {
    services.totals.add_total(total);
  } catch (const Error& error) {
    log_error("total.not_counted", {{"total", total}, {"error", error.what()}});
  }
}

}  // namespace segments
