// Two calls side by side, such as the directions of a layer: each has lanes and a barrier of its own, and all lanes run at once.
#pragma once
#include "batch.h"
#include "team.h"

namespace saiki {

// A kernel allocates, then asks its team to run its lanes. The team of the first call starts the second one instead; that of the
// second runs the lanes of both. With one lane in all, the calls follow one another.
class Sides {
  using Kernel = void (*)(const Call&, Team&);
  struct Side : Team {
    Sides* both;
    void (*task)(void*, int);
    void* context;
  };

  Team& all_;
  const Kernel kernel_;
  const Call& second_;
  Side side_[2];

 public:
  Sides(Team& all, Kernel kernel, const Call& first, int lanes, const Call& second, int more) : all_(all), kernel_(kernel), second_(second) {
    for (int i = 0; i < 2; ++i) {
      Side& s = side_[i];
      s.lanes = i ? more : lanes;
      s.both = this;
      s.take = [](Team& t, size_t bytes) { Team& all = static_cast<Side&>(t).both->all_; return all.take(all, bytes); };
      s.relax = all.relax;
    }
    side_[0].run = [](Team& t, void (*task)(void*, int), void* context) {
      Side& s = keep(t, task, context);
      s.both->kernel_(s.both->second_, s.both->side_[1]);
    };
    side_[1].run = [](Team& t, void (*task)(void*, int), void* context) {
      Sides* both = keep(t, task, context).both;
      both->all_.run(both->all_, [](void* b, int lane) { static_cast<Sides*>(b)->lane(lane); }, both);
    };
    kernel_(first, side_[0]);
  }
  Sides(const Sides&) = delete;

 private:
  static Side& keep(Team& team, void (*task)(void*, int), void* context) {
    Side& s = static_cast<Side&>(team);
    s.task = task, s.context = context;
    return s;
  }

  void lane(int number) {
    for (Side& s : side_) {
      if (number >= 0 && number < s.lanes) s.task(s.context, number);
      if (all_.lanes > 1) number -= s.lanes;
    }
  }
};

}  // namespace saiki
