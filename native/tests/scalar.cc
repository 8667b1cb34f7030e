// Every kernel over awkward shapes, for the sanitizers: forward and backward through a plain team of one lane (or real
// threads), all tensors in exact heap blocks so that one number too far is caught. Gradients are checked against finite
// differences, so the driver also fails on wrong answers.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../kernels.h"
#include "../plan.h"
#include "../pool.h"

namespace saiki::baseline {
extern const Kernels kernels;
}

namespace {

using namespace saiki;
using Numbers = std::vector<double>;

struct Case {
  int cell;
  std::vector<int64_t> lengths;  // longest first
  long features, width;
  bool reverse;
  int lanes;
  bool by_units;
  int padding;  // times past the longest row of a padded batch; -1: packed
};

struct Problem {
  const Case& c;
  const CellKernels& k;
  std::vector<int64_t> counts, offsets{0}, starts, places, origins;
  long steps, rows, lines;  // lines of x and y
  Numbers x, wi, wh, bi, bh, y, saved, dy, dx, dwi, dwh, dbi, dbh;
  std::vector<Numbers> initial, final, dfinal, dinitial;
  Call call{};

  explicit Problem(const Case& given) : c(given), k(baseline::kernels.cells[given.cell][1]), rows(long(given.lengths.size())) {
    for (int64_t t = 0; t < c.lengths[0]; ++t) {
      int64_t n = 0;
      for (const int64_t length : c.lengths) n += length > t;
      counts.push_back(n);
      offsets.push_back(offsets.back() + n);
    }
    steps = offsets.back();
    const bool padded = c.padding >= 0;
    const long times = long(counts.size()) + (padded ? c.padding : 0);
    lines = padded ? rows * times : steps;
    for (long t = 0; t < times; ++t) starts.push_back(padded ? t * rows : offsets[t]);
    for (long b = 0; b < rows; ++b) origins.push_back(padded ? rows - 1 - b : b);  // the caller's order: shortest first
    places = origins;
    call.batch = {long(counts.size()), rows, counts.data(), offsets.data(), c.reverse, starts.data(), places.data(), origins.data(), padded ? times : 0};
    call.features = c.features, call.width = c.width, call.by_units = c.by_units;
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    auto draw = [&](Numbers& to, long n, double scale) {
      to.resize(n);
      for (double& v : to) v = scale * normal(random);
      return static_cast<void*>(to.data());
    };
    const long columns = k.gates * c.width;
    const double small = 0.7 / std::sqrt(double(c.width));  // keeps the recurrence from exploding
    call.x = draw(x, lines * c.features, 1);
    call.weight_ih = draw(wi, columns * c.features, small);
    call.weight_hh = draw(wh, columns * c.width, small);
    call.bias_ih = draw(bi, columns, small);
    call.bias_hh = draw(bh, columns, small);
    call.y = draw(y, lines * c.width, 0);
    call.saved = draw(saved, steps * k.saved_row(call), 0);
    call.dy = draw(dy, lines * c.width, 1);
    call.dx = draw(dx, lines * c.features, 0);
    call.dweight_ih = draw(dwi, columns * c.features, 0), call.dweight_hh = draw(dwh, columns * c.width, 0);
    call.dbias_ih = draw(dbi, columns, 0), call.dbias_hh = draw(dbh, columns, 0);
    for (auto* part : {&initial, &final, &dfinal, &dinitial}) part->resize(k.states);
    for (int s = 0; s < k.states; ++s) {
      call.initial[s] = draw(initial[s], rows * c.width, 1), call.dfinal[s] = draw(dfinal[s], rows * c.width, 1);
      call.final[s] = draw(final[s], rows * c.width, 0), call.dinitial[s] = draw(dinitial[s], rows * c.width, 0);
    }
  }

  void run(void (*kernel)(const Call&, Team&)) {
    Pool::Lease lease(c.lanes);
    lease.workspace().fill(0xFF);
    kernel(call, lease.team);
    if (!lease.workspace().intact()) fail("a guard was overwritten");
  }

  double loss() {
    for (double& v : y) v = NAN;  // padding included: it must be cleared
    run(k.forward);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    for (int s = 0; s < k.states; ++s)
      for (size_t i = 0; i < final[s].size(); ++i) sum += final[s][i] * dfinal[s][i];
    return sum;
  }

  void check(const char* name, Numbers& at, const Numbers& gradient) {
    std::mt19937 random(2);
    for (int i = 0; i < 4 && !at.empty(); ++i) {
      const size_t j = random() % at.size();
      const double before = at[j], h = 1e-6;
      at[j] = before + h;
      const double above = loss();
      at[j] = before - h;
      const double below = loss();
      at[j] = before;
      const double found = gradient[j], expected = (above - below) / (2 * h);
      const double rounding = 1e-8 * std::fabs(above);
      if (!(std::fabs(found - expected) < 1e-5 * (1 + std::fabs(expected)) + rounding)) {
        std::printf("%s[%zu]: %g, by differences %g\n", name, j, found, expected);
        fail(name);
      }
    }
  }

  [[noreturn]] void fail(const char* what) {
    std::printf("%s: %s, %ld rows, features %ld, width %ld, reverse %d, lanes %d\n", what, cell_names[c.cell], rows, c.features, c.width,
                c.reverse, c.lanes);
    std::exit(1);
  }

  void solve() {
    loss();
    for (double& v : dx) v = NAN;
    run(k.backward);
    check("x", x, dx), check("weight_ih", wi, dwi), check("weight_hh", wh, dwh), check("bias_ih", bi, dbi), check("bias_hh", bh, dbh);
    for (int s = 0; s < k.states; ++s) check("state", initial[s], dinitial[s]);
    stream();
  }

  // The first row again, step by step.
  void stream() {
    if (c.reverse) return;
    void* block = std::aligned_alloc(64, (k.stream_bytes(call) + 63) / 64 * 64);
    k.stream_begin(call, block);
    for (int s = 0; s < k.states; ++s) k.stream_state(block, s, initial[s].data() + origins[0] * c.width, true);
    Numbers out(c.width);
    for (size_t t = 0; t < counts.size(); ++t) {
      Pool::Lease lease(c.lanes);
      k.stream_push(block, x.data() + (starts[t] + places[0]) * c.features, out.data(), lease.team);
      for (long u = 0; u < c.width; ++u)
        if (!(std::fabs(out[u] - y[(starts[t] + places[0]) * c.width + u]) < 1e-5)) fail("stream");
    }
    std::free(block);
  }
};

// A linear recurrence: gradients against finite differences of sum(y * dy) + sum(final * dfinal).
void solve_scan(const std::vector<int64_t>& lengths, long width, bool reverse, int lanes) {
  std::vector<int64_t> counts, offsets{0};
  for (int64_t t = 0; t < lengths[0]; ++t) {
    int64_t n = 0;
    for (const int64_t length : lengths) n += length > t;
    counts.push_back(n), offsets.push_back(offsets.back() + n);
  }
  const long steps = offsets.back(), rows = long(lengths.size());
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  auto draw = [&](long n) {
    Numbers numbers(n);
    for (double& v : numbers) v = 0.5 * normal(random);
    return numbers;
  };
  Numbers decay = draw(steps * width), inflow = draw(steps * width), initial = draw(rows * width), dy = draw(steps * width);
  Numbers dfinal = draw(rows * width), y(steps * width), final(rows * width), dd(steps * width), du(steps * width), di(rows * width);
  Scan scan{};
  scan.batch = {long(counts.size()), rows, counts.data(), offsets.data(), reverse, nullptr, nullptr, nullptr, 0};
  scan.width = width, scan.decay = decay.data(), scan.inflow = inflow.data(), scan.initial = initial.data();
  scan.y = y.data(), scan.final = final.data(), scan.dy = dy.data(), scan.dfinal = dfinal.data();
  scan.ddecay = dd.data(), scan.dinflow = du.data(), scan.dinitial = di.data();
  auto run = [&](void (*kernel)(const Scan&, Team&)) {
    Pool::Lease lease(lanes);
    kernel(scan, lease.team);
  };
  auto loss = [&] {
    run(baseline::kernels.scan_forward[1]);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    for (size_t i = 0; i < final.size(); ++i) sum += final[i] * dfinal[i];
    return sum;
  };
  loss();
  run(baseline::kernels.scan_backward[1]);
  for (auto [at, gradient] : {std::pair(&decay, &dd), std::pair(&inflow, &du), std::pair(&initial, &di)})
    for (int i = 0; i < 4; ++i) {
      const size_t j = random() % at->size();
      const double before = (*at)[j], h = 1e-6;
      (*at)[j] = before + h;
      const double above = loss();
      (*at)[j] = before - h;
      const double below = loss();
      (*at)[j] = before;
      if (!(std::fabs((*gradient)[j] - (above - below) / (2 * h)) < 1e-6)) {
        std::printf("scan: %g, by differences %g\n", (*gradient)[j], (above - below) / (2 * h));
        std::exit(1);
      }
    }
}

}  // namespace

// A reservoir against its plain loop.
bool reservoir_is_the_loop(const std::vector<int64_t>& lengths, long width, bool reverse, int lanes) {
  const long rows = long(lengths.size()), time = lengths[0];
  std::vector<int64_t> counts, offsets{0}, zeros, starts{0};
  for (int64_t t = 0; t < time; ++t) {
    int64_t n = 0;
    for (const int64_t length : lengths) n += length > t;
    counts.push_back(n), offsets.push_back(offsets.back() + n);
  }
  std::vector<int64_t> begins(offsets.begin(), offsets.end() - 1), rows_in_order(rows);
  for (long b = 0; b < rows; ++b) rows_in_order[b] = b;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<int32_t> columns;
  Numbers weights, drive(offsets.back() * width), initial(rows * width), y(drive.size()), final(initial.size());
  for (long u = 0; u < width; ++u) {
    for (long v = u % 3; v < width; v += 3) columns.push_back(int32_t(v)), weights.push_back(0.3 * normal(random));
    starts.push_back(int64_t(columns.size()));
  }
  for (double& v : drive) v = normal(random);
  for (double& v : initial) v = normal(random);
  Reservoir r{};
  r.batch = {time, rows, counts.data(), offsets.data(), reverse, begins.data(), rows_in_order.data(), rows_in_order.data(), 0};
  r.width = width, r.leak = 0.4, r.squash = true, r.starts = starts.data(), r.columns = columns.data(), r.weights = weights.data();
  r.drive = drive.data(), r.initial = initial.data(), r.y = y.data(), r.final = final.data();
  Pool::Lease lease(lanes);
  baseline::kernels.reservoir[1](r, lease.team);
  double worst = 0;
  for (long b = 0; b < rows; ++b) {
    Numbers h(initial.begin() + b * width, initial.begin() + (b + 1) * width);
    for (int64_t i = 0; i < lengths[b]; ++i) {
      const long at = (offsets[reverse ? lengths[b] - 1 - i : i] + b) * width;
      Numbers next(width);
      for (long u = 0; u < width; ++u) {
        double sum = drive[at + u];
        for (int64_t k = starts[u]; k < starts[u + 1]; ++k) sum += weights[k] * h[columns[k]];
        next[u] = 0.6 * h[u] + 0.4 * std::tanh(sum);
        worst = std::fmax(worst, std::fabs(next[u] - y[at + u]));
      }
      h = next;
    }
    for (long u = 0; u < width; ++u) worst = std::fmax(worst, std::fabs(h[u] - final[b * width + u]));
  }
  if (!(worst < 1e-12)) std::printf("reservoir of %ld units, %d lanes: differs by %g\n", width, lanes, worst);
  return worst < 1e-12;
}

int main() {
  const std::vector<std::vector<int64_t>> batches = {{1}, {7}, {5, 5, 5, 5, 5, 5, 5, 5, 5}, {9, 9, 6, 3, 3, 1, 1, 0, 0}, {40, 1, 1}};
  const long sizes[][2] = {{1, 1}, {3, 5}, {17, 16}, {8, 33}, {2, 70}};
  int solved = 0;
  for (int cell = 0; cell < cell_count; ++cell)
    for (const auto& lengths : batches)
      for (const auto& size : sizes)
        for (const bool reverse : {false, true})
          for (const auto& [lanes, by_units] : {std::pair(1, false), std::pair(2, true), std::pair(3, false)}) {
            if (long(lengths.size()) < lanes && !by_units) continue;
            Case c{cell, lengths, size[0], size[1], reverse, lanes, by_units, solved % 2 ? 2 : -1};
            Problem(c).solve();
            ++solved;
          }
  for (const auto& lengths : batches)
    for (const bool reverse : {false, true})
      for (const int lanes : {1, 2, 3}) solve_scan(lengths, 5, reverse, lanes), ++solved;
  std::printf("%d problems solved on %s, %d-byte vectors\n", solved, baseline::kernels.isa, baseline::kernels.vector_bytes);
}
