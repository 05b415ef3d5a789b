// What `inspect conf` and `inspect report` show.
#pragma once

#include <string>
#include <string_view>

#include "celery/json.h"
#include "celery_control/desk.h"

namespace segments::celery {

// "********" where the name says that it is secret, without the password where it is a URL; else as it is.
std::string shown_setting(std::string_view name, std::string_view value);
Json shown_settings(const Desk&);
std::string report_text(const Desk&);

}  // namespace segments::celery
