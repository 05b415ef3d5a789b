#include "dynamodb/segment_item.h"

#include <algorithm>

namespace segments::dynamodb {

namespace {

constexpr std::string_view posts_name = "social_media_usage";

// Never part of an index's key when they are empty, which DynamoDB refuses.
constexpr std::string_view index_keys[] = {"user_id", "segment_type", "created_at"};

// posted_at stays as the owner gave it.
void make_times_canonical(SocialMediaUsage& usage) {
  if (usage.last_synced) usage.last_synced = canonical_time(*usage.last_synced);
}

void read_posts(const Item& item, StoredSegment& out) {
  const auto* attribute = find(item, posts_name);
  const auto* map = attribute ? std::get_if<Item>(&attribute->value) : nullptr;
  if (!map) {
    // The list that the earlier service wrote, or nothing.
    std::vector<SocialMediaUsage> usages;
    if (attribute) read_attribute(usages, *attribute);
    for (auto& usage : usages) make_times_canonical(usage);
    out.posts = number_posts(usages);
    out.is_old = true;
    return;
  }
  for (const auto& [key, value] : *map) {
    const auto* entry = std::get_if<Item>(&value.value);
    if (!entry) continue;
    auto& post = out.posts[key];
    read_item(post.usage, *entry);
    make_times_canonical(post.usage);
    post.position = integer_of(*entry, "position");
    post.link_id = text_of(*entry, "link_id");
  }
}

std::vector<SocialMediaUsage> in_order(const std::map<std::string, StoredPost, std::less<>>& posts) {
  std::vector<const StoredPost*> sorted;
  for (const auto& [key, post] : posts) sorted.push_back(&post);
  std::ranges::stable_sort(sorted, {}, &StoredPost::position);
  std::vector<SocialMediaUsage> out;
  for (const auto* post : sorted) out.push_back(post->usage);
  return out;
}

void make_times_canonical(Segment& segment) {
  segment.created_at = canonical_time(segment.created_at);
  segment.updated_at = segment.updated_at.empty() ? segment.created_at : canonical_time(segment.updated_at);
  if (segment.last_downloaded_at) segment.last_downloaded_at = canonical_time(*segment.last_downloaded_at);
}

}  // namespace

std::int64_t StoredSegment::next_position() const {
  std::int64_t next = 0;
  for (const auto& [key, post] : posts) next = std::max(next, post.position + 1);
  return next;
}

std::optional<Key> key_of_segment(std::string_view segment_id) {
  auto video_id = video_id_of(segment_id);
  // DynamoDB's bounds of keys.
  if (!video_id || video_id->size() > 2'048 || segment_id.size() > 1'024) return std::nullopt;
  return Key{std::move(*video_id), std::string(segment_id)};
}

Key key_to_look_under(std::string_view segment_id) {
  return key_of_segment(segment_id).value_or(Key{std::string(segment_id), std::string(segment_id)});
}

std::optional<StoredSegment> read_segment(const Item& item) {
  auto key = key_of(item);
  if (key.segment_id.empty() || key.segment_id.front() == '#' || find(item, "removed_at"))
    return std::nullopt;
  StoredSegment out;
  out.created_at = text_of(item, "created_at");
  out.made_id = text_of(item, "made_id");
  if (const auto* ids = find(item, "write_ids")) read_attribute(out.write_ids, *ids);
  out.request_id = text_of(item, "request_id");
  const auto* version = find(item, "version");
  out.is_old = !version;
  out.version = version ? integer_of(*version).value_or(1) : 1;
  read_posts(item, out);
  out.followed = followed_posts_of(item);
  const auto* followed = find(item, "followed");
  if (!followed || !std::holds_alternative<Item>(followed->value)) out.is_old = true;
  // The posts have been read: as a map they are no vector.
  for_each_member<Segment>([&](const char* name, auto member) {
    if (name == posts_name) return;
    if (const auto* attribute = find(item, name)) read_attribute(out.segment.*member, *attribute);
  });
  out.segment.social_media_usage = in_order(out.posts);
  make_times_canonical(out.segment);
  return out;
}

Segment read_listed(const Item& item) {
  Segment segment;
  read_item(segment, item);
  segment.created_at = canonical_time(segment.created_at);
  return segment;
}

Item make_item(const StoredSegment& stored) {
  Item item = item_of(stored.segment);
  for (auto name : index_keys)
    if (text_of(item, name).empty()) item.erase(std::string(name));
  Item posts;
  for (const auto& [key, post] : stored.posts) posts.emplace(key, attribute_of_post(post));
  item[std::string(posts_name)] = {std::move(posts)};
  item["followed"] = attribute_of_followed(stored.followed);
  item["version"] = number(stored.version);
  if (!stored.made_id.empty()) item["made_id"] = text(stored.made_id);
  if (!stored.request_id.empty()) item["request_id"] = text(stored.request_id);
  if (!stored.write_ids.empty()) item["write_ids"] = *attribute_of(stored.write_ids);
  return item;
}

Attribute attribute_of_post(const StoredPost& post) {
  Item item = item_of(post.usage);
  item["position"] = number(post.position);
  if (!post.link_id.empty()) item["link_id"] = text(post.link_id);
  return {std::move(item)};
}

std::map<std::string, StoredPost, std::less<>> number_posts(const std::vector<SocialMediaUsage>& usages) {
  std::map<std::string, StoredPost, std::less<>> posts;
  for (const auto& usage : usages) {
    auto key = post_key(usage);
    // Counts told without a post have no id: of several such, each needs a name of its own.
    for (int other = 2; posts.contains(key); ++other) key = post_key(usage) + "#" + std::to_string(other);
    const auto position = static_cast<std::int64_t>(posts.size());
    posts[key] = {.usage = usage, .position = position, .link_id = {}};
  }
  return posts;
}

std::string canonical_time(const std::string& text) {
  auto at = parse_time(text);
  // As this program writes it, which is usual.
  constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
  auto has_form = [](char c, char in_form) { return in_form == '0' ? c >= '0' && c <= '9' : c == in_form; };
  if (at && std::ranges::equal(text, form, has_form) && text[17] < '6') return text;
  // Python's isoformat() of a time in UTC that does not know it is.
  if (!at) at = parse_time(text + "Z");
  return at ? format_time(*at) : text;
}

std::string is_segment(Terms& terms) {
  return "attribute_exists(" + terms.name("segment_id") + ") AND attribute_not_exists(" +
         terms.name("removed_at") + ")";
}

std::string is_segment_of(Terms& terms, std::string_view user_id) {
  auto condition = is_segment(terms);
  if (user_id.empty()) return condition;
  return condition + " AND " + terms.name("user_id") + " = " + terms.value(user_id);
}

}  // namespace segments::dynamodb
