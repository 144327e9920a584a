"""The bench's arithmetic: medians, ratios, aims, growth, and tables from what was saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import inside, table
from tests.bench.aims import aims, mark
from tests.bench.growth import by_size, by_snapshots
from tests.bench.jobs import INSIDE, Asked, jobs
from tests.bench.measure import Kept, drop, resident, run, warm
from tests.bench.pools import Facts, Made, Pool, amount, counted
from tests.bench.programs import Peer
from tests.bench.samples import Sample, Samples, Unlike, load, ratio
from tests.conftest import ROOT

POOL = "one-device/10000000/1"
PEER = Peer(
    "peer", "1.1.0", {name: ["peer", name] for name in ("thin_dump", "thin_check", "thin_rmap")}
)


def sample(side: str, *seconds: float, job: str = "dump", pool: str = POOL, **more) -> Sample:
    return Sample(pool, "memory", job, side, list(seconds), **more)


def samples(*several: Sample) -> Samples:
    found = Samples(
        {"machine": "M", "thinscope": "0", "profile": "release", "peers": {"peer": "1.1.0"}}
    )
    for each in several:
        found.add(each)
        numbers = {"live_blocks": 512, "nodes": 40_000, "mappings": 10_000_000}
        found.pools.setdefault(each.pool, numbers)
    return found


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_a_median_is_of_runs_that_came_in_time() -> None:
    assert sample("peer", 3, 1, 2).median == 2
    assert sample("peer", 3, 1, 2, failed="over 60 s").median is None
    assert sample("peer").median is None
    assert (ratio(1, 4), ratio(None, 4), ratio(1, None), ratio(1, 0)) == (0.25, None, None, None)


@pytest.mark.parametrize(
    ("word", "count"), [("300", 300), ("100k", 100_000), ("1.5M", 1_500_000), ("10M", 10_000_000)]
)
def test_counts_are_read_as_they_are_told(word: str, count: int) -> None:
    assert counted(word) == count == counted(amount(count).replace(" ", ""))


def test_counts_that_are_none_are_refused() -> None:
    for word in ("0", "M", "many", ""):
        with pytest.raises(ValueError):  # noqa: PT011 - argparse tells which word it was
            counted(word)


def test_pools_have_the_mappings_that_were_asked_for() -> None:
    assert Pool("shared-roots", 10_000_000, 300).each == 1_500_000
    assert Pool("own-spines", 30_000_000, 300).each == 5_000_000
    assert Pool("own-spines", 100_000_000, 300).each == 15_000_000
    assert Pool("shared-data", 6_000_000, 60).each == 100_000
    assert Pool.of(POOL) == Pool("one-device", 10_000_000, 1)
    assert Pool.of("docker-b") == Pool("docker-b")
    assert (
        Pool("shared-roots", 10_000_000, 300).title == "1.5 M mappings, 300 snapshots, shared roots"
    )


def test_an_aim_is_marked_where_it_is_missed() -> None:
    assert mark(0.4, 0.4) == "<= 0.4"
    assert mark(0.41, 0.4) == "<= 0.4 **missed**"
    assert mark(None, 0.4) == "<= 0.4"
    found = samples(sample("thinscope", 0.3), sample("peer", 1.0))
    assert [aim.reached(found, POOL, "memory") for aim in aims("dump", POOL)] == [0.3]
    # Of snapshots more is asked for.
    assert [aim.most for aim in aims("dump", "own-spines/10000000/300")] == [0.1]
    assert aims("dump", "docker-b") == []


def test_aims_are_summed_up_by_pool() -> None:
    pools = ["one-device/10000000/1", "singles/10000000/1"]
    several = [
        sample(side, seconds, pool=pool)
        for pool, ours in zip(pools, (0.3, 0.5), strict=True)
        for side, seconds in (("thinscope", ours), ("peer", 1.0))
    ]
    several[0].peak, several[2].peak = 3000, 80
    (*_, dump, most) = rows(table.aimed(samples(*several)))
    assert dump[2:] == [
        *("memory", "<= 0.4", "0.30 - 0.50"),
        "1 of 2: 2 M mappings, one device, no two mappings in a run: 0.50",
    ]
    told = "1 of 2: thin_dump > /dev/null, 10 M mappings, one device: 3000"
    assert most[2:] == ["memory", "<= 1024", "80.00 - 3000", told]


def test_an_aim_can_be_to_another_job() -> None:
    found = samples(sample("inside", 0.3, job="check"), sample("beside", 0.1, job="checksum-2"))
    reached = [aim.reached(found, POOL, "memory") for aim in aims("check", POOL)]
    assert reached == [None, pytest.approx(3)]


def test_a_table_has_columns_for_what_was_measured() -> None:
    found = samples(
        sample("thinscope", 0.5, 0.4, 0.6, peak=30.2),
        sample("peer", 1.0, 1.0, 1.0, peak=8, is_at_most=True),
        sample("distribution", failed="over 60 s"),
        sample("thinscope", 2.0, job="check", peak=2000),
    )
    header, _, title, dump, check = rows(table.measured(found, "memory"))
    assert header == [
        *("job", "thinscope, s", "MiB", "peer, s", "MiB", "ours / peer"),
        *("distribution's, s", "MiB", "ours / distribution's", "aim"),
    ]
    assert title[0] == "**10 M mappings, one device** (2 MiB in use, 40,000 nodes)"
    assert dump[1:] == [
        *("0.500 (0.400 - 0.600)", "30", "1.000 (1.000 - 1.000)", "<= 8", "0.50"),
        *("over 60 s", "", "", "<= 0.4 **missed**"),
    ]
    assert check[1:] == [
        "2.000 (2.000 - 2.000)",
        "**2000**",
        "",
        "",
        "",
        "",
        "",
        "",
        "<= 0.2; in process: <= 4",
    ]
    assert table.measured(found, "disk") == ""


def test_what_was_saved_gives_the_same_tables(tmp_path: Path) -> None:
    found = samples(sample("thinscope", 0.5, 0.4), sample("peer", 1.0))
    found.instructions[POOL] = {"open": 1_000_000, "recount": 21_000_000}
    found.save(tmp_path / "a.json")
    assert table.sections(load([tmp_path / "a.json"])) == table.sections(found)
    assert rows(table.counted(found))[-1][1:] == ["recount", "20.0", "2.0", "500"]


def test_of_two_files_the_later_counts(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    samples(sample("thinscope", 0.5), sample("peer", 1.0)).save(one)
    samples(sample("thinscope", 0.1)).save(two)
    merged = load([one, two])
    assert merged.seconds(POOL, "memory", "dump", "thinscope") == 0.1
    assert merged.seconds(POOL, "memory", "dump", "peer") == 1.0


def test_samples_of_different_builds_are_not_put_together() -> None:
    one = samples(sample("thinscope", 0.5))
    two = samples(sample("peer", 0.5))
    two.setting["profile"] = "ci"
    with pytest.raises(Unlike, match="profile: release, and ci"):
        one.merge(two)


def test_growth_is_by_mappings() -> None:
    larger = "one-device/100000000/1"
    several = [sample("inside", 0.1), sample("inside", 1.2, pool=larger)]
    (found,) = by_size(samples(*several))
    assert (found.by, found.growth) == (10, pytest.approx(1.2))
    assert "<= 1.05 **missed**" in table.grown(samples(*several))


@pytest.mark.parametrize(("nodes", "growth"), [((100, 190), 0.8), ((100, 110), 1.52)])
def test_growth_is_by_nodes_or_outright(nodes: tuple[int, int], growth: float) -> None:
    pools = [f"own-spines/10000000/{count}" for count in (150, 300)]
    found = samples(
        *(
            sample("inside", seconds, pool=pool, job="check")
            for pool, seconds in zip(pools, (1.0, 1.52), strict=True)
        )
    )
    for pool, count in zip(pools, nodes, strict=True):
        found.pools[pool] = {"nodes": count, "live_blocks": count, "mappings": 1}
    (each,) = by_snapshots(found)
    assert each.growth == pytest.approx(growth)
    assert by_size(found) == []


def test_a_page_is_filled_where_it_says_so() -> None:
    page = "a\n<!-- bench:disk -->\nold\n<!-- bench:end -->\nb\n<!-- bench:memory -->\n<!-- bench:end -->\n"
    filled = table.fill(page, {"disk": "new | \\1", "memory": ""})
    assert filled == page.replace("old\n", "\nnew | \\1\n\n")
    assert table.fill(filled, {"disk": "new | \\1"}) == filled
    with pytest.raises(ValueError, match="bench:growth"):
        table.fill(page, {"growth": "x"})


def test_the_page_has_a_place_for_every_section() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    assert table.fill(page, dict.fromkeys(table.sections(samples()), "")) == page


def test_jobs_are_asked_of_all_sides(tmp_path: Path) -> None:
    facts = Facts((0, 1, 2, 3), 5000, 65536, 10, 2, 2)
    made = Made(Pool("shared-roots", 10_000_000, 3), tmp_path / "pool.bin", facts)
    asked = Asked(made, tmp_path / "out", [PEER])
    found = {
        job.word: job.sides
        for job in jobs(asked, ["dump", "owners", "recount"], ["peer", "inside"])
    }
    assert found["dump"]["peer"] == ["peer", "thin_dump", str(made.path)]
    assert found["owners"]["peer"].count("--region") == 1000
    assert found["owners"]["inside"][2:4] == ["tests.bench.inside", "owners"]
    assert found["recount"].keys() == {"inside"}
    assert (asked.near, asked.far) == (["1", "2"], ["1", "3"])


def test_every_job_in_one_process_is_known_there() -> None:
    assert {*inside.JOBS, inside.NEXT} == INSIDE


def test_a_run_tells_how_it_ended() -> None:
    runs = {side: sample(side) for side in ("thinscope", "peer")}
    for each in runs.values():
        run(["sh", "-c", "exit 1"], each, 30)
    assert (runs["thinscope"].failed, runs["peer"].failed) == ("", "exit 1")
    assert len(runs["thinscope"].seconds) == 1
    assert runs["thinscope"].is_at_most
    late = sample("peer")
    run(["sleep", "60"], late, 0.2)
    run(["true"], late, 30)
    assert (late.failed, late.seconds) == ("over 0.2 s", [])


def test_the_page_cache_is_as_it_is_said_to_be() -> None:
    path = ROOT / "target/bench-cache.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    try:
        warm(path)
        assert resident(path) == 1
        try:
            drop(path)
        except Kept:  # a file system in memory: nothing is dropped, and nothing claimed
            assert resident(path) == 1
        else:
            assert resident(path) == 0
    finally:
        path.unlink()
