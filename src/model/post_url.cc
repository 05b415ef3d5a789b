#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/social_media.h"

namespace segments {

namespace {

using Platform = SocialMediaPlatform;
using Parts = std::vector<std::string>;

constexpr std::size_t max_url_bytes = 2'000;
constexpr int max_nesting = 2;  // of an address inside an address

struct Host {
  std::string_view name;
  Platform platform;
  bool shortens = false;  // every path on it is a short link
};
constexpr Host hosts[] = {
    {"instagram.com", Platform::instagram},
    {"instagr.am", Platform::instagram},
    {"tiktok.com", Platform::tiktok},
    {"tiktokv.com", Platform::tiktok},
    {"vm.tiktok.com", Platform::tiktok, true},
    {"vt.tiktok.com", Platform::tiktok, true},
    {"youtube.com", Platform::youtube},
    {"youtube-nocookie.com", Platform::youtube},
    {"youtu.be", Platform::youtube},
    {"facebook.com", Platform::facebook},
    {"fb.com", Platform::facebook},
    {"fb.watch", Platform::facebook, true},
    {"twitter.com", Platform::twitter},
    {"x.com", Platform::twitter},
    {"t.co", Platform::twitter, true},
};

struct Url {
  const Host* host = nullptr;
  Parts path;  // without empty parts, percent-decoded
  std::vector<std::pair<std::string, std::string>> query;

  std::string part(std::size_t i) const { return i < path.size() ? path[i] : ""; }
  // The words of a path are compared in lower case, as the platforms do.
  std::string word(std::size_t i) const { return lower_ascii(part(i)); }
  std::string value(std::string_view key) const {
    for (const auto& [name, text] : query)
      if (name == key) return text;
    return "";
  }
};

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

template <class Predicate>
bool all(std::string_view text, Predicate is) {
  return std::all_of(text.begin(), text.end(), is);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_code_character(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-';
}

// Decimal ids have no leading zero: one post, one id.
bool is_number(std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most && text.front() != '0' && all(text, is_digit);
}

const Host* find_host(std::string_view name) {
  for (const auto& host : hosts)
    if (host.name == name) return &host;
  return nullptr;
}

// www., m. and such, or a language: "de.", "pt-br.".
bool is_host_prefix(std::string_view label) {
  if (is_one_of(label, {"www", "m", "mobile", "web", "mbasic", "music"})) return true;
  if (label.size() == 2) return all(label, is_letter);
  return label.size() == 5 && label[2] == '-' && all(label.substr(0, 2), is_letter) &&
         all(label.substr(3), is_letter);
}

const Host* find_host_behind_prefixes(std::string_view name) {
  // The whole name first: "fb.com" and "vm.tiktok.com" begin like a language.
  for (int stripped = 0; stripped <= 2; ++stripped) {
    if (const auto* host = find_host(name)) return host;
    auto dot = name.find('.');
    if (dot == name.npos || !is_host_prefix(name.substr(0, dot))) return nullptr;
    name.remove_prefix(dot + 1);
  }
  return nullptr;
}

// The authority without userinfo, which is only ever there to mislead; std::nullopt where it is not one.
std::optional<std::string> host_name_of(std::string_view authority) {
  if (auto colon = authority.find(':'); colon != authority.npos) {
    auto port = authority.substr(colon + 1);
    if (!is_one_of(port, {"", "80", "443"})) return std::nullopt;
    authority = authority.substr(0, colon);
  }
  if (authority.ends_with('.')) authority.remove_suffix(1);
  bool valid = !authority.empty() && authority.size() <= 253 &&
               all(authority, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; });
  if (!valid) return std::nullopt;
  return lower_ascii(authority);
}

bool take_scheme(std::string_view& url) {
  auto end = url.find("://");
  if (end != url.npos && end < url.find_first_of("/?#")) {
    if (!is_one_of(lower_ascii(url.substr(0, end)), {"http", "https"})) return false;
    url.remove_prefix(end + 3);
  } else if (url.starts_with("//")) {
    url.remove_prefix(2);
  }
  return true;
}

bool read_path_and_query(std::string_view rest, Url& url) {
  rest = rest.substr(0, rest.find('#'));
  auto question = rest.find('?');
  for (const auto& part : split(rest.substr(0, question), '/')) {
    if (part.empty()) continue;
    auto decoded = percent_decode(part);
    if (!decoded) return false;
    url.path.push_back(std::move(*decoded));
  }
  if (question == rest.npos) return true;
  for (const auto& pair : split(rest.substr(question + 1), '&')) {
    auto equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(std::string_view(pair).substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return false;
    url.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

ParsedPostUrl no(PostUrlFault fault) {
  return {std::nullopt, fault};
}

ParsedPostUrl post(Platform platform, const std::string& id) {
  if (!is_post_id(platform, id)) return no(PostUrlFault::no_post);
  return {PostAddress{platform, id}, PostUrlFault::not_a_url};
}

ParsedPostUrl short_link(const std::string& token) {
  bool valid = !token.empty() && all(token, is_code_character);
  return no(valid ? PostUrlFault::short_link : PostUrlFault::no_post);
}

ParsedPostUrl parse_instagram(const Url& url) {
  if (url.word(0) == "share" && is_one_of(url.word(1), {"reel", "p"})) return short_link(url.part(2));
  if (is_one_of(url.word(0), {"p", "reel", "reels", "tv"})) {
    if (url.word(1) == "audio") return no(PostUrlFault::no_post);  // a sound's page, not a post
    return post(Platform::instagram, url.part(1));
  }
  bool is_user = !is_one_of(url.word(0), {"stories", "share", "explore"});
  if (is_user && is_one_of(url.word(1), {"p", "reel", "tv"})) return post(Platform::instagram, url.part(2));
  return no(PostUrlFault::no_post);
}

ParsedPostUrl parse_tiktok(const Url& url) {
  auto first = url.word(0), second = url.word(1);
  if (first == "t") return short_link(url.part(1));
  if (first.starts_with('@') && is_one_of(second, {"video", "photo"}))
    return post(Platform::tiktok, url.part(2));
  if (first == "share" && second == "video") return post(Platform::tiktok, url.part(2));
  if (first == "embed") return post(Platform::tiktok, second == "v2" ? url.part(2) : url.part(1));
  if (first == "player" && second == "v1") return post(Platform::tiktok, url.part(2));
  if (first == "v" && second.ends_with(".html"))
    return post(Platform::tiktok, second.substr(0, second.size() - 5));
  return no(PostUrlFault::no_post);
}

ParsedPostUrl parse_nested(std::string_view text, Platform platform, int nesting);

ParsedPostUrl parse_youtube(const Url& url, int nesting) {
  if (url.host->name == "youtu.be") return post(Platform::youtube, url.part(0));
  auto first = url.word(0);
  if (first == "watch" && url.path.size() == 1) return post(Platform::youtube, url.value("v"));
  if (is_one_of(first, {"shorts", "live", "embed", "v", "e"})) {
    // Both words have the form of an id: a player of a list, and one of whatever a channel sends now.
    if (is_one_of(url.word(1), {"videoseries", "live_stream"})) return no(PostUrlFault::no_post);
    return post(Platform::youtube, url.part(1));
  }
  if (first == "attribution_link") {
    auto inner = url.value("u");
    if (inner.starts_with('/') && !inner.starts_with("//")) inner.insert(0, "https://www.youtube.com");
    return parse_nested(inner, Platform::youtube, nesting);
  }
  return no(PostUrlFault::no_post);
}

ParsedPostUrl parse_facebook(const Url& url, int nesting) {
  auto first = url.word(0), second = url.word(1);
  auto size = url.path.size();
  auto found = [](const std::string& id) { return post(Platform::facebook, id); };
  if (first == "watch" && (size == 1 || (size == 2 && second == "live"))) return found(url.value("v"));
  if (first == "video.php" && size == 1) return found(url.value("v"));
  if (first == "video" && second == "embed") return found(url.value("video_id"));
  if (first == "reel") return found(url.part(1));
  if (is_one_of(first, {"permalink.php", "story.php"})) return found(url.value("story_fbid"));
  if (first == "plugins" && is_one_of(second, {"video.php", "post.php"}))
    return parse_nested(url.value("href"), Platform::facebook, nesting);
  if (first == "share" && is_one_of(second, {"r", "v", "p"})) return short_link(url.part(2));
  if (first == "groups") {
    bool is_post = is_one_of(url.word(2), {"posts", "permalink"});
    return is_post ? found(url.part(3)) : no(PostUrlFault::no_post);
  }
  bool is_page = !is_one_of(first, {"watch", "video", "plugins", "share"});
  if (is_page && is_one_of(second, {"videos", "posts"})) return found(size > 3 ? url.part(3) : url.part(2));
  return no(PostUrlFault::no_post);
}

ParsedPostUrl parse_twitter(const Url& url) {
  auto first = url.word(0), second = url.word(1);
  if (first == "statuses") return post(Platform::twitter, url.part(1));
  if (first == "i" && second == "web" && url.word(2) == "status") return post(Platform::twitter, url.part(3));
  if (first == "i" && second == "videos" && url.word(2) == "tweet")
    return post(Platform::twitter, url.part(3));
  if (is_one_of(second, {"status", "statuses"})) return post(Platform::twitter, url.part(2));
  return no(PostUrlFault::no_post);
}

ParsedPostUrl parse(std::string_view text, int nesting) {
  text = trim(text);
  bool is_text = !text.empty() && text.size() <= max_url_bytes && is_utf8(text) && !has_control(text) &&
                 text.find_first_of(" \\") == text.npos;
  if (!is_text || !take_scheme(text)) return no(PostUrlFault::not_a_url);
  auto end = std::min(text.find_first_of("/?#"), text.size());
  auto host_name = host_name_of(text.substr(0, end));
  if (!host_name) return no(PostUrlFault::not_a_url);
  Url url;
  if (!read_path_and_query(text.substr(end), url)) return no(PostUrlFault::not_a_url);
  url.host = find_host_behind_prefixes(*host_name);
  // A word without a dot is no address at all ("abc", "12345").
  if (!url.host)
    return no(host_name->find('.') == host_name->npos ? PostUrlFault::not_a_url : PostUrlFault::unknown_host);
  if (url.host->shortens) return short_link(url.part(0));
  switch (url.host->platform) {
    case Platform::instagram:
      return parse_instagram(url);
    case Platform::tiktok:
      return parse_tiktok(url);
    case Platform::youtube:
      return parse_youtube(url, nesting);
    case Platform::facebook:
      return parse_facebook(url, nesting);
    case Platform::twitter:
      return parse_twitter(url);
  }
  return no(PostUrlFault::unknown_host);
}

ParsedPostUrl parse_nested(std::string_view text, Platform platform, int nesting) {
  if (nesting >= max_nesting) return no(PostUrlFault::no_post);
  auto parsed = parse(text, nesting + 1);
  // One platform does not show another's post; such an address is made up.
  if (parsed.address && parsed.address->platform == platform) return parsed;
  bool leads_on = !parsed.address && parsed.fault == PostUrlFault::short_link;
  return no(leads_on ? PostUrlFault::short_link : PostUrlFault::no_post);
}

}  // namespace

ParsedPostUrl parse_post_url(std::string_view url) {
  return parse(url, 0);
}

bool is_post_id(SocialMediaPlatform platform, std::string_view id) {
  switch (platform) {
    case Platform::instagram:
      return id.size() >= 5 && id.size() <= 64 && all(id, is_code_character);
    case Platform::tiktok:
      return is_number(id, 15, 20);
    case Platform::youtube:
      return id.size() == 11 && all(id, is_code_character);
    case Platform::facebook:
      if (is_number(id, 5, 25)) return true;
      return id.starts_with("pfbid") && id.size() > 5 && id.size() <= 150 &&
             all(id, [](char c) { return is_letter(c) || is_digit(c); });
    case Platform::twitter:
      return is_number(id, 1, 19);
  }
  return false;
}

bool may_be_post_id(std::string_view id) {
  return !id.empty() && id.size() <= 150 && all(id, is_code_character);
}

std::string make_post_url(SocialMediaPlatform platform, std::string_view post_id) {
  std::string id = percent_encode(post_id);
  switch (platform) {
    case Platform::instagram:
      return "https://www.instagram.com/reel/" + id + "/";
    case Platform::tiktok:
      return "https://www.tiktok.com/@/video/" + id;
    case Platform::youtube:
      return "https://www.youtube.com/watch?v=" + id;
    case Platform::facebook:
      // An opaque id names a post, a number a video.
      if (post_id.starts_with("pfbid")) return "https://www.facebook.com/permalink.php?story_fbid=" + id;
      return "https://www.facebook.com/reel/" + id;
    case Platform::twitter:
      return "https://x.com/i/status/" + id;
  }
  return "";
}

}  // namespace segments
