// What the forward and the backward time loop share: how a call is divided among lanes (threads), and chunks of time.
#pragma once
#include "batch.h"
#include "gemm.h"
#include "team.h"

namespace saiki::SAIKI_ISA {

constexpr int plain_vectors = max_vectors;

constexpr int least_multiple(int a, int b) {
  int n = a;
  while (n % b) n += a;
  return n;
}

// Sizes of a cell of `width` units: vectors per row of units, and the padded row of an internal buffer.
template <class Cell> struct Sizes {
  using T = typename Cell::Scalar;
  static constexpr long L = lanes_of<T>;
  // A group is the least number of whole panels that holds all gates of whole vectors of units.
  static constexpr int vectors = Cell::gates == 3 ? 3 : plain_vectors;
  static constexpr int panels_per_group = least_multiple(Cell::gates, vectors) / vectors;
  static constexpr int units_per_group = least_multiple(Cell::gates, vectors) / Cell::gates;
  static constexpr int histories = Cell::saved + Cell::states - 1;  // vectors per unit kept for backward

  long features, width, units, row;
  explicit Sizes(const Call& c) : features(c.features), width(c.width), units((width + L - 1) / L), row(units * L) {}
  long groups() const { return (units + units_per_group - 1) / units_per_group; }
  long inputs() const { return (features + L - 1) / L; }
  long saved_part() const { return padded<T>(width); }
  long saved_row() const { return histories * saved_part(); }
};

// Groups that are computed together where rows are few.
template <class Cell> constexpr long few_groups = (panels_at_once(1) + Sizes<Cell>::panels_per_group - 1) / Sizes<Cell>::panels_per_group;

// The part of the batch and of the units that one lane computes. Splitting rows needs no barrier; the rows are dealt
// out in turn, there and back again, so that every lane has its share of the long ones at every step. Splitting units
// costs a barrier per step, but each lane then reads only its part of the weights.
struct Part {
  long lane, lanes;  // of those that share the rows
  Share units;       // of groups or panels
  long place(long j) const { return j & 1 ? lanes - 1 - lane : lane; }
  long row(long j) const { return j * lanes + place(j); }  // the batch's row that is number j here
  long rows(long count) const { return count / lanes + (place(count / lanes) < count % lanes); }  // of the first count
};

SAIKI_INLINE Part part_of(bool by_units, long units, int lane, int lanes) {
  if (by_units) return {0, 1, Share(units, lane, lanes)};
  return {lane, lanes, Share(0, units)};
}

template <class T> SAIKI_INLINE T* take(Team& team, long count) { return static_cast<T*>(team.take(team, size_t(count) * sizeof(T))); }

template <class T> SAIKI_INLINE const T* cast(const void* p) { return static_cast<const T*>(p); }
template <class T> SAIKI_INLINE T* cast(void* p) { return static_cast<T*>(p); }

// The state a row of the batch had before step p: its last output, or where it began.
template <class T> SAIKI_INLINE const T* hidden_before(const Call& call, long p, long b) {
  const Batch& batch = call.batch;
  return b < batch.count(p - 1) ? cast<T>(call.y) + batch.place(p - 1, b) * call.width : cast<T>(call.initial[0]) + batch.origins[b] * call.width;
}

// Numbers from row to row of a buffer whose rows are read side by side: a large power of two would share cache ways.
template <class T> constexpr long spread(long row) { return row * long(sizeof(T)) % 128 ? row : row + 64 / long(sizeof(T)); }

template <class T> SAIKI_INLINE void copy(T* to, const T* from, long begin, long end) {
  for (long i = begin; i < end; ++i) to[i] = from[i];
}

// Zeros in the padding of a padded tensor; lanes share the times.
template <class T> SAIKI_INLINE void clear_padding(const Batch& batch, void* tensor, long columns, Share times) {
  for (long t = times.begin; t < times.end; ++t)
    for (long b = t < batch.time ? batch.counts[t] : 0; b < batch.rows; ++b)
      std::memset(cast<T>(tensor) + (batch.starts[t] + batch.places[b]) * columns, 0, size_t(columns) * sizeof(T));
}

// Runs body(lane) on every lane.
template <class Body> SAIKI_INLINE void on_all_lanes(Team& team, Body& body) {
  team.run(team, [](void* b, int lane) { (*static_cast<Body*>(b))(lane); }, &body);
}

}  // namespace saiki::SAIKI_ISA
