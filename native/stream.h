// One step of one sequence at a time: weights packed once, state kept between calls, no allocation. Lanes share the units.
#pragma once
#include <cstddef>
#include <new>

#include "unroll.h"

namespace saiki::SAIKI_ISA {

template <class Cell> class Stream {
  using T = typename Cell::Scalar;
  using V = Vec<T>;
  using S = Sizes<Cell>;
  static constexpr long L = lanes_of<T>;
  static constexpr long group_columns = S::units_per_group * Cell::gates * L;

  S size;
  Panels<T> input, recurrent;
  T* hidden[2];            // the present state and the next one
  T* memory[max_states];   // states after the first
  T* used = nullptr;       // while the memory behind the object is handed out
  bool backwards = false;  // every other step reads the weights from the end: a cache has those that were read last

 public:
  static size_t bytes(const Call& c) {
    const S size(c);
    const long weights = size.units * Cell::gates * L * (c.features + c.width + 2);
    return (sizeof(Stream) + 63) / 64 * 64 + sizeof(T) * size_t(weights + (Cell::states + 1) * size.row);
  }

  // Lies at the beginning of `block`, 64-byte aligned, of bytes(c) bytes. The state begins at zero.
  static void begin(const Call& c, void* block) {
    Stream* s = new (block) Stream(c, reinterpret_cast<T*>(static_cast<char*>(block) + (sizeof(Stream) + 63) / 64 * 64));
    const Share all(0, s->input.count());
    pack_gates(s->input, cast<T>(c.weight_ih), cast<T>(c.bias_ih), Cell::gates, c.width, all);
    pack_gates(s->recurrent, cast<T>(c.weight_hh), cast<T>(c.bias_hh), Cell::gates, c.width, all);
  }

  static void push(void* block, const void* x, void* y, Team& team) {
    Stream& s = *static_cast<Stream*>(block);
    auto body = [&](int lane) { s.part(cast<T>(x), cast<T>(y), lane, team.lanes); };
    if (team.lanes == 1) body(0);
    else on_all_lanes(team, body);
    T* const last = s.hidden[0];
    s.hidden[0] = s.hidden[1], s.hidden[1] = last;
    s.backwards = !s.backwards;
  }

  // Copies state number i out (or in): c.width numbers.
  static void state(void* block, int i, void* numbers, bool set) {
    Stream& s = *static_cast<Stream*>(block);
    T* const mine = i == 0 ? s.hidden[0] : s.memory[i];
    if (set) copy(mine, cast<T>(numbers), 0, s.size.width);
    else copy(cast<T>(numbers), mine, 0, s.size.width);
  }

 private:
  Stream(const Call& c, T* block) : size(c), used(block) {
    for (T*& h : hidden) h = zeros(size.row);
    for (int i = 1; i < Cell::states; ++i) memory[i] = zeros(size.row);
    input = panels(c.features);
    recurrent = panels(c.width);
  }

  T* some(long count) {
    T* const begin = used;
    used += count;
    return begin;
  }
  T* zeros(long count) { return static_cast<T*>(std::memset(some(count), 0, size_t(count) * sizeof(T))); }
  Panels<T> panels(long depth) {
    const long total = size.units * Cell::gates;
    return {some(Panels<T>::size(depth, total)), some(total * L), depth, total, S::vectors};
  }

  // The units of one lane: whole groups that are computed together, so that their sums do not depend on the number of lanes.
  SAIKI_INLINE void part(const T* x, T* y, int lane, int lanes) {
    constexpr long few = few_groups<Cell>;
    const T* rows[] = {x, hidden[0]};
    alignas(64) T in[few * group_columns], back[few * group_columns];
    const Share mine((size.groups() + few - 1) / few, lane, lanes);
    for (long k = mine.begin; k < mine.end; ++k) {
      const long g = few * (backwards ? mine.begin + mine.end - 1 - k : k);
      const long first = g * S::panels_per_group, past = first + few * S::panels_per_group;
      multiply_tile(input, first, past, rows, 1, in, 0);
      multiply_tile(recurrent, first, past, rows + 1, 1, back, 0);
      for (long j = 0; j < few; ++j) units(g + j, in + j * group_columns, back + j * group_columns, y);
    }
  }

  SAIKI_INLINE void units(long g, const T* in, const T* back, T* y) {
    for (int k = 0; k < S::units_per_group; ++k, in += Cell::gates * L, back += Cell::gates * L) {
      const long u = (g * S::units_per_group + k) * L;
      if (u >= size.width) return;
      V x[Cell::gates], r[Cell::gates], state[Cell::states], kept[Cell::saved + 1];
      for (int i = 0; i < Cell::gates; ++i) x[i] = load(in + i * L), r[i] = load(back + i * L);
      state[0] = load(hidden[0] + u);
      for (int i = 1; i < Cell::states; ++i) state[i] = load(memory[i] + u);
      Cell::forward(x, r, state, kept);
      store(hidden[1] + u, state[0]);
      for (int i = 1; i < Cell::states; ++i) store(memory[i] + u, state[i]);
      store(y + u, state[0], size.width - u);
    }
  }
};

}  // namespace saiki::SAIKI_ISA
