// Cells whose units see their own past alone: no product, one or two vectors of weights.
#pragma once
#include "elman.h"
#include "steprows.h"

namespace saiki::SAIKI_ISA {

// h = f(x + u h); vector 0: u.
template <class T> struct IndRnn {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 1;
  static constexpr bool holds = false, direct = true, sees = true;
  static long kept(const Steps& c) { return c.changed() ? c.width : 0; }  // h, where y is not it

  static void forward(const StepRows<T>& s) { s.call.relu ? forward_as<Relu<T>>(s) : forward_as<Tanh<T>>(s); }
  static void backward(const StepRows<T>& s) { s.call.relu ? backward_as<Relu<T>>(s) : backward_as<Tanh<T>>(s); }

 private:
  template <class Function> static void forward_as(const StepRows<T>& s) {
    const T* weight = s.vector(0);
    for (long j = 0; j < s.n; ++j) {
      const T* x = s.x(j);
      T *h = s.state(0, j), *keep = s.call.changed() ? s.kept(j) : s.y(j);
      each_unit<T>(s.call.width, [&](long u, long left) SAIKI_LAMBDA {
        const V now = Function::value(load(x + u, left) + load(weight + u, left) * load(h + u, left));
        store(keep + u, now, left), store(h + u, now, left);
      });
    }
  }
  template <class Function> static void backward_as(const StepRows<T>& s) {
    const T* weight = s.vector(0);
    T* sum = s.sum(0);
    for (long j = 0; j < s.n; ++j) {
      const T *now = s.call.changed() ? s.kept(j) : s.y(j), *before = s.before(0, 0, j), *dy = s.dy(j);
      T *dh = s.dstate(0, j), *dx = s.dx(j);
      each_unit<T>(s.call.width, [&](long u, long left) SAIKI_LAMBDA {
        const V g = (load(dh + u, left) + load(dy + u, left)) * Function::slope(load(now + u, left));
        store(dx + u, g, left), store(dh + u, g * load(weight + u, left), left);
        add(sum + u, g * load(before + u, left), left);
      });
    }
  }
};

// Gates: taken, f, r, and the highway, which may be the input itself, scaled; states h and c; vector 0: what f and r see of c.
template <class T> struct Sru {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 2, outputs = 1, vectors = 1;
  static constexpr bool holds = false, direct = true, sees = false;
  enum { F, R, C, Taken, Highway, Before };  // the highway where it is not the input; c before where zoneout changes it
  static constexpr T scale = T(1.7320508075688772);  // of the input: sqrt(1 + 2 exp(0))
  static long kept(const Steps& c) { return (c.zones ? Before + 1 : c.highway ? Highway : Before) * c.width; }

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width;
    const T* see = s.vector(0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *high = s.call.highway ? s.input(j) : x + 3 * w;
      const T stretch = s.call.highway ? scale : T(1);
      T *h = s.state(0, j), *c = s.state(1, j), *kept = s.kept(j), *y = s.y(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto gate = [&](int i) SAIKI_LAMBDA { return load(x + i * w + u, left); };
        auto keep = [&](int part, V v) SAIKI_LAMBDA { store(kept + part * w + u, v, left); };
        const V before = load(c + u, left), taken = gate(0), highway = load(high + u, left) * stretch;
        const V f = sigmoid<T>(gate(1) + load(see + u, left) * before), r = sigmoid<T>(gate(2) + load(see + w + u, left) * before);
        const V now = taken + f * (before - taken);
        const V up = highway + r * (now - highway);
        store(c + u, now, left), store(h + u, up, left), store(y + u, up, left);
        keep(F, f), keep(R, r), keep(C, now), keep(Taken, taken);
        if (!s.call.highway) keep(Highway, highway);
        if (s.call.zones) keep(Before, before);
      });
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width;
    const T* see = s.vector(0);
    T* sum = s.sum(0);
    for (long j = 0; j < s.n; ++j) {
      const T *kept = s.kept(j), *before_c = before(s, j), *dy = s.dy(j), *way = s.call.highway ? s.input(j) : kept + Highway * w;
      T *dh = s.dstate(0, j), *dc = s.dstate(1, j), *dx = s.dx(j), *high = s.call.highway ? s.dinput(j) : dx + 3 * w;
      const T stretch = s.call.highway ? scale : T(1);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
        const V before = load(before_c + u, left), f = of(F), r = of(R), d = load(dh + u, left) + load(dy + u, left), to_c = load(dc + u, left) + d * r;
        const V to_f = to_c * (before - of(Taken)) * f * (T(1) - f), to_r = d * (of(C) - load(way + u, left) * stretch) * r * (T(1) - r);
        store(dx + u, to_c * (T(1) - f), left), store(dx + w + u, to_f, left);
        store(dx + 2 * w + u, to_r, left);
        if (high) store(high + u, d * (T(1) - r) * stretch, left);
        store(dh + u, V{}, left);
        store(dc + u, to_c * f + to_f * load(see + u, left) + to_r * load(see + w + u, left), left);
        add(sum + u, to_f * before, left), add(sum + w + u, to_r * before, left);
      });
    }
  }

 private:
  // c before the step: c of the step before.
  static const T* before(const StepRows<T>& s, long j) {
    const long w = s.call.width;
    if (s.call.zones) return s.kept(j) + Before * w;
    return s.began(j) ? cast<T>(s.call.saved) + s.at_before(j) * s.sizes.saved_row + C * w : s.initial(1, j);
  }
};

// Gates: z, n; h = h + z (n - h).
template <class T> struct MinGru {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 0;
  static constexpr bool holds = false, direct = true, sees = false;
  static long kept(const Steps& c) { return 2 * c.width; }  // z, n - h before

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T* x = s.x(j);
      T *h = s.state(0, j), *kept = s.kept(j), *y = s.y(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V before = load(h + u, left), z = sigmoid<T>(load(x + u, left)), far = load(x + w + u, left) - before, now = before + z * far;
        store(kept + u, z, left), store(kept + w + u, far, left), store(h + u, now, left), store(y + u, now, left);
      });
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T *kept = s.kept(j), *dy = s.dy(j);
      T *dh = s.dstate(0, j), *dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V z = load(kept + u, left), d = load(dh + u, left) + load(dy + u, left), to_n = d * z;
        store(dx + u, to_n * load(kept + w + u, left) * (T(1) - z), left), store(dx + w + u, to_n, left);
        store(dh + u, d - to_n, left);
      });
    }
  }
};

// A complex state that turns: real' = C real - S imaginary + x, imaginary' = C imaginary + S real + y; vectors C and S; both go up.
template <class T> struct Lru {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 2, outputs = 2, vectors = 2;
  static constexpr bool holds = false, direct = true, sees = true;
  static long kept(const Steps&) { return 0; }  // both parts before are those that went up

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width;
    const T *cosine = s.vector(0), *sine = s.vector(1);
    for (long j = 0; j < s.n; ++j) {
      const T* x = s.x(j);
      T *re = s.state(0, j), *im = s.state(1, j), *y = s.y(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V a = load(re + u, left), b = load(im + u, left), c = load(cosine + u, left), d = load(sine + u, left);
        const V real = c * a - d * b + load(x + u, left), imaginary = c * b + d * a + load(x + w + u, left);
        store(re + u, real, left), store(im + u, imaginary, left), store(y + u, real, left), store(y + w + u, imaginary, left);
      });
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width;
    const T *cosine = s.vector(0), *sine = s.vector(1);
    T *dcosine = s.sum(0), *dsine = s.sum(1);
    for (long j = 0; j < s.n; ++j) {
      const T *before = s.before(0, 0, j), *before_im = s.before(1, w, j), *dy = s.dy(j);
      T *re = s.dstate(0, j), *im = s.dstate(1, j), *dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V a = load(before + u, left), b = load(before_im + u, left), c = load(cosine + u, left), d = load(sine + u, left);
        const V to_a = load(re + u, left) + load(dy + u, left), to_b = load(im + u, left) + load(dy + w + u, left);
        store(dx + u, to_a, left), store(dx + w + u, to_b, left);
        store(re + u, c * to_a + d * to_b, left), store(im + u, c * to_b - d * to_a, left);
        add(dcosine + u, to_a * a + to_b * b, left), add(dsine + u, to_b * a - to_a * b, left);
      });
    }
  }
};

}  // namespace saiki::SAIKI_ISA
