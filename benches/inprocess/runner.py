"""hnswlib or faiss in a process of their own, for the bench that asks (benches/src/inprocess.rs).

The one argument is the library. Every line of standard input is a request and every line of standard output its reply, both
a JSON object with one key:

    (the start)                                              {"ok": {"version", "python", "threads", "simd"}}
    {"build": {"rows", "metric", "method", "options"}}       {"ok": {"seconds", "bytes", "peak_rss_bytes"}}
    {"load_queries": {"path", "count"}}                      {"ok": how many}
    {"search": {"k", "value", "threads"}}                    {"ok": {"found", "seconds", "wall"}}

Rows and queries lie in .npy files. A request that fails is answered by {"error": "why"}, and the next one may succeed. The
process ends when its input does. Python 3.9 or later.
"""

import gc
import importlib
import importlib.metadata
import json
import os
import platform
import signal
import sys
import threading
import time


class Hnswlib:
    """Graphs of hnswlib."""

    package = "hnswlib"
    spaces = {"<->": "l2", "<#>": "ip", "<=>": "ip"}

    def __init__(self):
        self.module = importlib.import_module("hnswlib")
        self.index = None

    def simd(self):
        """None: hnswlib does not tell which instructions it was compiled for."""

    def build(self, rows, metric, method, options, threads):
        """Builds the index over `rows`. Options left out are those of hnswlib's own init_index."""
        if method != "hnsw":
            raise ValueError(f"hnswlib has hnsw, not {method}")
        options = numbers(options, m=16, ef_construction=200)
        count, dims = rows.shape
        self.index = self.module.Index(space=self.spaces[metric], dim=dims)
        self.index.init_index(max_elements=count, M=options["m"], ef_construction=options["ef_construction"])
        self.index.add_items(rows, num_threads=threads)

    def size(self):
        """Bytes of the index in a file."""
        return self.index.index_file_size()

    def prepare(self, value):
        """Sets what trades recall for time."""
        self.index.set_ef(value)

    def prepare_thread(self):
        """Nothing here belongs to a thread."""

    def search(self, query, k):
        """The k nearest rows to an array of one query."""
        return self.index.knn_query(query, k=k, num_threads=1)[0]


class Faiss:
    """Graphs and inverted lists of faiss, both over vectors in full precision."""

    package = "faiss-cpu"
    spaces = {"<->": "METRIC_L2", "<#>": "METRIC_INNER_PRODUCT", "<=>": "METRIC_INNER_PRODUCT", "<+>": "METRIC_L1"}

    def __init__(self):
        self.module = importlib.import_module("faiss")
        self.index = None

    def simd(self):
        """The instructions in use."""
        return self.module.SIMDConfig.get_level_name()

    def build(self, rows, metric, method, options, threads):
        """Builds the index over `rows`. Options of hnsw left out are those of faiss's own constructor."""
        self.module.omp_set_num_threads(threads)
        dims, space = rows.shape[1], getattr(self.module, self.spaces[metric])
        if method == "hnsw":
            options = numbers(options, m=32, ef_construction=40)
            self.index = self.module.IndexHNSWFlat(dims, options["m"], space)
            self.index.hnsw.efConstruction = options["ef_construction"]
        elif method == "ivfflat":
            lists = numbers(options, lists=None)["lists"]
            self.index = self.module.index_factory(dims, f"IVF{lists},Flat", space)
            self.index.train(rows)
        else:
            raise ValueError(f"faiss has hnsw and ivfflat, not {method}")
        self.index.add(rows)

    def size(self):
        """Bytes of the index in a file."""
        size = 0

        def count(part):
            nonlocal size
            size += len(part)

        self.module.write_index(self.index, self.module.PyCallbackIOWriter(count))
        return size

    def prepare(self, value):
        """Sets what trades recall for time."""
        if isinstance(self.index, self.module.IndexHNSW):
            self.index.hnsw.efSearch = value
        else:
            self.index.nprobe = value

    def prepare_thread(self):
        """OpenMP keeps a number of threads for each thread that calls: every one that searches works alone."""
        self.module.omp_set_num_threads(1)

    def search(self, query, k):
        """The k nearest rows to an array of one query; -1 behind the last one that was found."""
        return self.index.search(query, k)[1]


class Runner:
    """A library, the index built last, and the queries to ask it."""

    def __init__(self, name):
        self.np = importlib.import_module("numpy")
        self.name, self.library = name, {"hnswlib": Hnswlib, "faiss": Faiss}[name]()
        self.threads = int(os.environ["OMP_NUM_THREADS"])
        self.at_rest = resident("VmRSS") or 0
        self.metric, self.queries = None, None

    def hello(self):
        """What is measured, and on how many threads it builds."""
        return {
            "version": importlib.metadata.version(self.library.package),
            "python": platform.python_version(),
            "threads": self.threads,
            "simd": self.library.simd(),
        }

    def vectors(self, path, metric):
        """The vectors of a file in single precision; of unit length for cosine, which then is the inner product."""
        vectors = self.np.ascontiguousarray(self.np.load(path), dtype=self.np.float32)
        if vectors.ndim != 2:
            raise ValueError(f"{path} holds an array of {vectors.ndim} dimensions instead of one row for each vector")
        if metric == "<=>":
            norms = self.np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors /= self.np.where(norms == 0, 1, norms)
        return vectors

    def build(self, rows, metric, method, options):
        """Builds an index in place of the one before. Reading the rows and giving them unit length are not timed."""
        if metric not in self.library.spaces:
            raise ValueError(f"{self.name} has no metric {metric}")
        self.library.index, self.metric, self.queries = None, None, None
        vectors = self.vectors(rows, metric)
        forget_peak()
        start = time.perf_counter()
        self.library.build(vectors, metric, method, options, self.threads)
        seconds = time.perf_counter() - start
        self.metric = metric
        peak = resident("VmHWM")
        # The rows were given; what the library keeps of them is its own copy.
        added = peak and max(peak - self.at_rest - vectors.nbytes, 0)
        return {"seconds": seconds, "bytes": self.library.size(), "peak_rss_bytes": added}

    def load_queries(self, path, count):
        """Reads the queries to ask, so many of them at most, and answers how many there are."""
        if self.metric is None:
            raise ValueError("an index must be built before queries are loaded")
        self.queries = [query.reshape(1, -1) for query in self.vectors(path, self.metric)[:count]]
        return len(self.queries)

    def search(self, k, value, threads):
        """Asks one query a call, the n-th in thread n modulo `threads`, and times each call by itself."""
        if not self.queries:
            raise ValueError("queries must be loaded before they are asked")
        queries, clock = self.queries, time.perf_counter
        found, seconds, spans, failures = [None] * len(queries), [0.0] * len(queries), [], []
        barrier = threading.Barrier(threads)
        self.library.prepare(value)

        def ask(first):
            search = self.library.search
            try:
                self.library.prepare_thread()
                search(queries[first % len(queries)], k)
            except Exception as error:
                failures.append(error)
            # Reached by every thread, whatever happened to it.
            barrier.wait()
            if failures:
                return
            begin = clock()
            for n in range(first, len(queries), threads):
                start = clock()
                answer = search(queries[n], k)
                seconds[n] = clock() - start
                found[n] = answer
            spans.append((begin, clock()))

        workers = [threading.Thread(target=ask, args=(first,), daemon=True) for first in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failures:
            raise failures[0]
        begins, ends = zip(*spans)
        found = [[row for row in rows[0].tolist() if row >= 0] for rows in found]
        return {"found": found, "seconds": seconds, "wall": max(ends) - min(begins)}


def numbers(given, **known):
    """The known options as whole numbers: as given, else as known; None must be given."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"no option is called {unknown[0]}; there are: {', '.join(known)}")
    chosen = {**known, **given}
    missing = [name for name, value in chosen.items() if value is None]
    if missing:
        raise ValueError(f"the option {missing[0]} must be given")
    return {name: int(value) for name, value in chosen.items()}


def resident(field):
    """Memory of this process in bytes: VmRSS, what is resident, or VmHWM, the most that was. None: there is no /proc."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            sizes = dict(line.split(":", 1) for line in status)
    except OSError:
        return None
    return int(sizes[field].split()[0]) * 1024


def forget_peak():
    """Lets the most memory that was resident begin anew, where there is a /proc."""
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
            control.write("5")


def main():
    """Greets, then answers requests until there are no more."""
    # An interrupt ends the process at once, even within a long build.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What libraries print goes to standard error: standard output carries replies alone.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(kind, content):
        replies.write(json.dumps({kind: content}) + "\n")
        replies.flush()

    try:
        runner = Runner(sys.argv[1])
        reply("ok", runner.hello())
    except ModuleNotFoundError as error:
        reply("missing", error.name)
        return
    # The collector would halt one query or another for what it is not to blame for.
    gc.disable()
    verbs = {"build": runner.build, "load_queries": runner.load_queries, "search": runner.search}
    for line in sys.stdin:
        try:
            ((verb, arguments),) = json.loads(line).items()
            reply("ok", verbs[verb](**arguments))
        except Exception as error:
            reply("error", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
