"""What two members do: from a write to whoever watches at the other, writes
that both have, a first sync, and what one missed while it was away."""

import time

from harness import converge, cpu_us, pair


def measure_propagation(bench, n=None, rate=200):
    n = n or (100 if bench.quick else 2000)
    with bench.nodes() as (a, b, _):
        pair(a, b)
        bench.program("driver", "paced", a.dir, b.dir, 100, 200)  # warm
        cpu = {}
        with cpu_us(cpu, "cpu_us", n, a, b):
            result = bench.program(
                "driver", "paced", a.dir, b.dir, n, rate)
        return dict(result, **cpu)


def measure_writes(bench, n=None):
    n = n or (2000 if bench.quick else 100000)
    with bench.nodes() as (a, b, _):
        pair(a, b)
        result = {}
        with cpu_us(result, "batched_cpu_us", n, a, b):
            batched = bench.program("driver", "write", a.dir, n, 100, 32)
        with cpu_us(result, "single_cpu_us", n // 4, a, b):
            single = bench.program("driver", "write", a.dir, n // 4, 1, 256)
        return dict(result, batched_per_second=batched["per_second"],
                    single_per_second=single["per_second"])


def measure_sync(bench, n):
    last = "item/%08d" % (n - 1)
    with bench.nodes(relayed=True) as (a, b, proxy):
        cpu = {}
        with cpu_us(cpu, "fill_cpu_us", n, a):
            fill = bench.program("driver", "fill", a.dir, n)
        code = a.control.call("invite")["code"]
        with cpu_us(cpu, "first_cpu_us", n, a, b):
            started = time.monotonic()
            b.control.call("join", code=code, peer=a.known)
            first = converge(a, b, last) - started
        result = dict(cpu, items=n, fill_per_second=fill["per_second"],
                      first_s=round(first, 4), first_bytes=proxy.bytes())
        time.sleep(0.1 if bench.quick else 3)  # memory settles
        result["rss_mb"] = [round(a.rss_mb(), 1), round(b.rss_mb(), 1)]
        result.update(measure_reconnect(bench, a, b, proxy, n))
        return result


def measure_reconnect(bench, a, b, proxy, n):
    b.stop()
    bench.program("driver", "touch", a.dir, 100, n)
    proxy.bytes()
    started = time.monotonic()
    b.start()
    ready = time.monotonic()
    seen = converge(a, b, "item/%08d" % (n // 100 * 99))
    return {"reconnect_s": round(seen - started, 4),
            "reconnect_start_s": round(ready - started, 4),
            "reconnect_bytes": proxy.bytes()}
