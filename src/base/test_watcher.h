// A watcher for tests: waits by poll(), on the thread that runs it.
#pragma once

#include <poll.h>

#include <algorithm>
#include <functional>

#include "base/watcher.h"

namespace segments {

class TestWatcher : public Watcher {
 public:
  ~TestWatcher() override { end(); }

  std::unique_ptr<Watch> watch(int descriptor, Watched& watched) override {
    return std::make_unique<Polled>(*this, descriptor, watched);
  }

  // Tells events and deadlines until `is_done`; false where that takes longer than 20 s.
  bool run_until(const std::function<bool()>& is_done) {
    const auto end = steady_ms() + 20'000;
    while (!is_done()) {
      if (steady_ms() > end) return false;
      turn();
    }
    return true;
  }
  std::size_t watched() const { return watches_.size(); }

 private:
  struct Polled : Watch {
    Polled(TestWatcher& o, int d, Watched& w) : owner(o), descriptor(d), watched(w) {
      owner.watches_.push_back(this);
    }
    ~Polled() override { std::erase(owner.watches_, this); }
    void wait_for(short events) override { awaited |= events; }
    void set_deadline(Millis at) override { deadline = at; }

    TestWatcher& owner;
    const int descriptor;
    Watched& watched;
    short awaited = 0;
    Millis deadline = 0;
  };

  // What is told may end any watch.
  void turn() {
    auto all = watches_;
    std::vector<pollfd> asked;
    for (const auto* one : all) asked.push_back({one->awaited ? one->descriptor : -1, one->awaited, 0});
    ::poll(asked.data(), asked.size(), 10);
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto is_there = [&] { return std::ranges::find(watches_, all[i]) != watches_.end(); };
      for (short event : {POLLIN, POLLOUT}) {
        const bool is_told = asked[i].revents & (event | POLLHUP | POLLERR);
        if (!is_there() || !(all[i]->awaited & event) || !is_told) continue;
        all[i]->awaited = static_cast<short>(all[i]->awaited & ~event);
        all[i]->watched.on_events(event);
      }
      if (!is_there() || all[i]->deadline == 0 || all[i]->deadline > steady_ms()) continue;
      all[i]->deadline = 0;
      all[i]->watched.on_deadline();
    }
  }

  std::vector<Polled*> watches_;
};

}  // namespace segments
