// The cells that run step by step, with every option, for the sanitizers: all tensors in exact heap blocks, gradients against finite
// differences.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "../pool.h"
#include "../steps.h"

namespace saiki::baseline {
extern const StepTable step_table;
}

namespace {

using namespace saiki;
using Numbers = std::vector<double>;

// Of a cell: blocks of gates, and per product inside a step (rows, depth) in widths, and the column of the gates that it shares (-2: none).
struct Kind {
  const char* cell;
  int blocks;
  std::vector<std::vector<int>> products;
  std::vector<int> vectors;  // in widths
  bool coupled = false, relu = false, before = false;
  bool norm_c = false;  // vectors 1 and 2 of the lstm come with layer norm
  int projection = 0;
  bool highway = false;
  int more = 0;  // columns of gates behind the blocks
};

struct Problem {
  const Kind& kind;
  const StepKernels* kernels = nullptr;
  long rows, steps = 0;
  int lanes;
  Steps call{};
  std::vector<int64_t> counts, offsets{0}, places;
  std::deque<Numbers> tensors;
  std::mt19937 random{1};
  struct Pair { Numbers *at, *gradient; };
  std::vector<Pair> checked;
  Numbers *y, *dy;
  std::vector<Numbers*> finals, dfinals;

  Numbers* draw(long n, double scale) {
    std::normal_distribution<double> normal;
    tensors.emplace_back(n);
    for (double& v : tensors.back()) v = scale * normal(random);
    return &tensors.back();
  }
  Numbers* with_gradient(const void** at, void** gradient, long n, double scale) {
    Numbers *value = draw(n, scale), *d = draw(n, 0);
    *at = value->data(), *gradient = d->data();
    checked.push_back({value, d});
    return value;
  }

  Problem(const Kind& k, const std::vector<int64_t>& lengths, long w, bool reverse, int threads, bool inside) : kind(k), rows(long(lengths.size())), lanes(threads) {
    for (int i = 0; i < step_count; ++i)
      if (!std::strcmp(step_names[i], k.cell)) kernels = &baseline::step_table.cells[i][1];
    for (int64_t t = 0; t < lengths[0]; ++t) {
      int64_t n = 0;
      for (const int64_t length : lengths) n += length > t;
      counts.push_back(n), offsets.push_back(offsets.back() + n);
    }
    steps = offsets.back();
    for (long b = 0; b < rows; ++b) places.push_back(b);
    call.batch = {long(counts.size()), rows, counts.data(), offsets.data(), reverse, offsets.data(), places.data(), places.data(), 0};
    call.columns = k.blocks * w + k.more, call.width = w, call.coupled = k.coupled, call.relu = k.relu, call.before = k.before;
    const long up = k.projection ? k.projection : w;
    long all = 0, high = 0;
    for (int s = 0; s < kernels->states; ++s) {
      call.size[s] = s ? w : up, all += call.size[s], high += s < kernels->outputs ? call.size[s] : 0;
      with_gradient(&call.initial[s], &call.dinitial[s], rows * call.size[s], 1);
      if (!std::strcmp(k.cell, "slstm") && s == 2) for (double& v : *checked.back().at) v = 1 + std::fabs(v);  // a normaliser is positive
      finals.push_back(draw(rows * call.size[s], 0)), dfinals.push_back(draw(rows * call.size[s], 1));
      call.final[s] = finals[s]->data(), call.dfinal[s] = dfinals[s]->data();
    }
    Input& in = call.input;
    in.features = k.highway ? w : w / 2 + 2, call.highway = k.highway;
    with_gradient(&in.x, &in.dx, steps * in.features, 1);
    with_gradient(&in.weight, &in.dweight, call.columns * in.features, 0.7 / std::sqrt(double(in.features)));
    with_gradient(&in.bias, &in.dbias, call.columns, 0.5);
    if (inside) with_gradient(&in.gain, &in.dgain, call.columns, 1);
    y = draw(steps * high, 0), dy = draw(steps * high, 1);
    call.y = y->data(), call.dy = dy->data();
    for (const auto& p : k.products) product(p[0] * w, up, p[1] * w, inside);
    if (k.projection) product(up, w, -w, false);
    if (inside && k.products.size() < 5) {
      for (int i = 0; i < 2; ++i) product(up, up, -w, false);
      call.transitions = 2;
      if (k.products.size()) call.mask = draw(rows * up, 1)->data();
      Numbers* zones = draw(steps * (up + (kernels->states > 1 ? w : 0)), 0);
      for (size_t i = 0; i < zones->size(); ++i) (*zones)[i] = i % 3 == 0 ? 0.25 : i % 3 == 1 ? 0 : 1;
      call.zones = zones->data(), call.zone_row = long(zones->size()) / steps;
    }
    for (size_t v = 0; v < k.vectors.size(); ++v) {
      if (!k.vectors[v] || (k.norm_c && v && !inside)) continue;
      call.vector_size[v] = k.vectors[v] * w;
      with_gradient(&call.vector[v], &call.dvector[v], call.vector_size[v], 0.5);
    }
    call.saved = draw(steps * kernels->saved_row(call), 0)->data();
  }

  void product(long n, long depth, long shared, bool norm) {
    Product& p = call.product[call.products++];
    p.rows = n, p.depth = depth, p.shared = shared < 0 ? -1 : shared;
    with_gradient(&p.weight, &p.dweight, n * depth, 0.7 / std::sqrt(double(depth)));
    with_gradient(&p.bias, &p.dbias, n, 0.5);
    if (norm) with_gradient(&p.gain, &p.dgain, n, 1);
    p.entered = draw(steps * depth, 0)->data();
  }

  void run(void (*kernel)(const Steps&, Team&)) {
    Pool::Lease lease(lanes);
    lease.workspace().fill(0xFF);
    kernel(call, lease.team);
    if (!lease.workspace().intact()) fail("a guard was overwritten", 0, 0);
  }

  double loss() {
    for (double& v : *y) v = NAN;
    run(kernels->forward);
    double sum = 0;
    for (size_t i = 0; i < y->size(); ++i) sum += (*y)[i] * (*dy)[i];
    for (size_t s = 0; s < finals.size(); ++s)
      for (size_t i = 0; i < finals[s]->size(); ++i) sum += (*finals[s])[i] * (*dfinals[s])[i];
    return sum;
  }

  void fail(const char* what, double found, double expected) {
    std::printf("%s: %s, %g, by differences %g; %ld rows, width %ld, reverse %d, lanes %d\n", kind.cell, what, found, expected, rows, call.width, call.batch.reverse, lanes);
    std::exit(1);
  }

  void solve() {
    loss();
    for (Pair& pair : checked)
      for (double& v : *pair.gradient) v = NAN;
    run(kernels->backward);
    for (size_t k = 0; k < checked.size(); ++k)
      for (int i = 0; i < 2; ++i) {
        double& at = (*checked[k].at)[random() % checked[k].at->size()];
        const double before = at, h = 1e-6, found = (*checked[k].gradient)[&at - checked[k].at->data()];
        at = before + h;
        const double above = loss();
        at = before - h;
        const double below = loss(), expected = (above - below) / (2 * h);
        at = before;
        if (!(std::fabs(found - expected) < 1e-5 * (1 + std::fabs(expected)) + 1e-8 * std::fabs(above))) fail(("tensor " + std::to_string(k)).c_str(), found, expected);
      }
    loss();
    const Numbers kept = *y;
    call.saved = nullptr;  // forward alone keeps nothing
    for (int k = 0; k < call.products; ++k) call.product[k].entered = nullptr;
    loss();
    if (kept != *y) fail("forward alone", 0, 0);
  }
};

}  // namespace

int main() {
  const std::vector<Kind> kinds = {
      {"elman", 1, {{1, 0}}, {}},
      {"gru", 3, {{3, -2}}, {}},
      {"gru", 3, {{2, 0}, {1, 2}}, {}, false, false, true},
      {"lstm", 4, {{4, 0}}, {0, 1, 1}, false, false, false, true},
      {"lstm", 4, {{4, 0}}, {3, 1, 1}, false, false, false, true, 2},
      {"lstm", 3, {{3, 0}}, {2, 1, 1}, true, false, false, true},
      {"slstm", 4, {{4, 0}}, {}},
      {"rhn", 2, {{2, 0}, {2, -2}, {2, -2}}, {}},
      {"indrnn", 1, {}, {1}},
      {"sru", 4, {}, {2}},
      {"sru", 3, {}, {2}, false, false, false, false, 0, true},
      {"lru", 2, {}, {1, 1}},
      {"mingru", 2, {}, {}},
      {"gru_d", 4, {{2, 0}, {1, 2}}, {}},
      {"cfc", 1, {{1, 0}, {4, -2}}, {}, false, false, false, false, 0, false, 1},
  };
  const std::vector<std::vector<int64_t>> batches = {{1}, {4, 4, 4, 4, 4}, {6, 6, 3, 1, 0, 0}};
  int solved = 0;
  for (const Kind& kind : kinds)
    for (const auto& lengths : batches)
      for (const long width : {3, 16, 21})
        for (const bool reverse : {false, true})
          for (const int lanes : {1, 3}) {
            for (const bool inside : {false, true}) {
              if (inside && !std::strcmp(kind.cell, "lru")) continue;
              Problem(kind, lengths, width, reverse, lanes, inside).solve();
              ++solved;
            }
          }
  std::printf("%d problems of cells step by step solved\n", solved);
}
