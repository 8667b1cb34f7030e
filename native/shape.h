// The shape of one call, checked: where each row of a ragged batch stands.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace saiki {

// A ragged batch: packed, where the caller's vector tells how many rows each time has; or padded, where it tells how long each
// row is (None: all are full).
struct Shape {
  int scalar;  // 0 float, 1 double
  long time, rows, steps, features, width;
  long padded = 0;  // times of a padded batch
  bool batch_first = false;
  std::vector<int64_t> counts, offsets, starts, places, origins;

  long lines() const { return padded ? rows * padded : steps; }
  // The shape of a tensor of the caller with that many numbers per step.
  std::vector<long> of(long columns) const {
    if (!padded) return {steps, columns};
    return batch_first ? std::vector<long>{rows, padded, columns} : std::vector<long>{padded, rows, columns};
  }
};

[[noreturn]] inline void wrong(const char* name, const char* expected) {
  throw std::invalid_argument(std::string("saiki kernel: ") + name + " must be " + expected);
}

inline void count_packed(Shape& s, const int64_t* n, long rows) {
  s.counts.assign(n, n + s.time);
  s.offsets.resize(s.time + 1);
  for (long t = 0; t < s.time; ++t) {
    if (n[t] < 1 || n[t] > (t ? n[t - 1] : rows)) wrong("counts", "positive, non-increasing and at most the batch");
    s.offsets[t + 1] = s.offsets[t] + n[t];
  }
  if (s.offsets[s.time] != s.steps) wrong("the sum of counts", "the number of packed steps");
  s.starts.assign(s.offsets.begin(), s.offsets.end() - 1);
  s.origins.resize(rows);
  for (long b = 0; b < rows; ++b) s.origins[b] = b;
  s.places = s.origins;
}

// Rows longest first, those of equal length in the caller's order.
inline void sort_padded(Shape& s, const int64_t* lengths) {
  std::vector<int64_t> longer(s.padded + 2);  // longer[n]: rows of at least n steps
  for (long b = 0; b < s.rows; ++b) {
    const int64_t n = lengths ? lengths[b] : s.padded;
    if (n < 0 || n > s.padded) wrong("lengths", "from 0 to the time axis");
    ++longer[n];
  }
  for (long n = s.padded; n-- > 0;) longer[n] += longer[n + 1];
  for (s.time = 0; s.time < s.padded && longer[s.time + 1]; ++s.time) s.counts.push_back(longer[s.time + 1]);
  s.offsets.assign(1, 0);
  for (const int64_t n : s.counts) s.offsets.push_back(s.offsets.back() + n);
  s.steps = s.offsets.back();
  s.origins.resize(s.rows);
  std::vector<int64_t> next(longer.begin() + 1, longer.end());  // rows of n steps stand behind those of more
  for (long b = 0; b < s.rows; ++b) s.origins[next[lengths ? lengths[b] : s.padded]++] = b;
  s.places = s.origins;
  if (s.batch_first)
    for (int64_t& place : s.places) place *= s.padded;
  for (long t = 0; t < s.padded; ++t) s.starts.push_back(s.batch_first ? t : t * s.rows);
}

}  // namespace saiki
