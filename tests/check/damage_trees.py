"""Damage to nodes of all trees, and to what is listed of devices."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.check.patient import MANY, TALL
from tests.check.telling import (
    CHURN,
    DOCKER,
    FULL,
    NODES,
    WALK,
    Told,
    hits,
    recipe,
    record_field,
    single,
    where,
    whole,
)
from tests.oracle.reader import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.check.patient import Patient

# ---- nodes, by their rules -----------------------------------------------------------------------


def shared_leaf(patient: Patient) -> int:
    """Return a leaf of mappings that several devices have."""
    several = Counter(edge.block for edge in patient.edges)
    return max(patient.blocks(Role.MAPPING, leaf=True), key=lambda block: (several[block], block))


def mapping_leaf(field: str, damage: Callable[[Patient, int], object]) -> None:
    """Note a recipe that breaks a rule of a leaf of mappings."""
    name = f"leaf-{field.replace(' ', '-').replace('_', '-')}"

    def do(patient: Patient) -> list[Told]:
        leaf = shared_leaf(patient)
        damage(patient, leaf)
        return [Told("node", leaf, field, hits=hits(patient, leaf))]

    for pool in (WALK, TALL):
        recipe(pool, f"{name}-{'tall' if pool == TALL else pool}")(do)


mapping_leaf("csum", lambda patient, leaf: patient.flip(leaf))
mapping_leaf("blocknr", lambda patient, leaf: patient.put(leaf, 8, "Q", leaf + 1))
mapping_leaf("flags", lambda patient, leaf: patient.put(leaf, 4, "I", 3))
mapping_leaf("nr_entries", lambda patient, leaf: patient.put(leaf, 16, "I", 253))
mapping_leaf("max_entries", lambda patient, leaf: patient.put(leaf, 20, "I", 249))
mapping_leaf("value_size", lambda patient, leaf: patient.put(leaf, 24, "I", 16))
mapping_leaf(
    "data block",
    lambda patient, leaf: patient.put(
        leaf, patient.value(leaf, 0), "Q", patient.whole.superblock.data_space_map.nr_blocks << 24
    ),
)


@recipe(CHURN)
def keys_out_of_order(patient: Patient) -> list[Told]:
    leaf = shared_leaf(patient)
    patient.put(leaf, patient.key(2), "Q", patient.node(leaf).keys[1])
    return [Told("node", leaf, "key", hits=hits(patient, leaf))]


@recipe(DOCKER)
def keys_beyond_their_edge(patient: Patient) -> list[Told]:
    leaf = next(
        edge.block
        for edge in patient.edges
        if edge.parent
        and edge.mappings
        and 1 < edge.end < 1 << 60
        and not patient.node(edge.block).internal
    )
    end = next(edge.end for edge in patient.edges if edge.block == leaf)
    last = len(patient.node(leaf).keys) - 1
    patient.put(leaf, patient.key(last), "Q", end)
    return [Told("node", leaf, "key", hits=hits(patient, leaf))]


def tree_node(role: Role, pool: str, *, leaf: bool) -> None:
    """Note a recipe that breaks a node of a tree, the one in the middle."""

    def do(patient: Patient) -> list[Told]:
        found = patient.blocks(role, leaf=leaf)
        if role in {Role.TOP_LEVEL, Role.DETAILS}:  # a live one
            trees = dict.fromkeys(reached(patient, role, whole_tree=True))
            found = [block for block in found if block in trees]
        block = found[len(found) // 2]
        patient.flip(block)
        return broken_node(patient, role, block)

    kind = "leaf" if leaf else "internal-node"
    at = "-tall" if pool == TALL else "-many" if pool == MANY else f"-{pool}"
    recipe(pool, f"{role.value.replace(' ', '-')}-{kind}{at}")(do)


def reached(patient: Patient, role: Role, *, whole_tree: bool) -> list[int]:
    """Return the blocks of a small live tree, from the root down."""
    superblock = patient.whole.superblock
    root = superblock.mapping_root if role is Role.TOP_LEVEL else superblock.details_root
    found, stack = [], [root]
    while stack:
        found.append(block := stack.pop())
        node = patient.node(block)
        stack += [child for (child,) in node.values] if node.internal and whole_tree else []
    return found


def listed(patient: Patient, block: int) -> list[int]:
    """Return the keys below a node of a small tree."""
    node = patient.node(block)
    if not node.internal:
        return node.keys
    return [key for (child,) in node.values for key in listed(patient, child)]


def broken_node(patient: Patient, role: Role, block: int) -> list[Told]:
    """Return what is told of a broken node of any tree."""
    if role is Role.MAPPING:
        return [Told("node", block, "csum", hits=hits(patient, block))]
    if role is Role.TOP_LEVEL:
        devices = listed(patient, block)
        found = []
        for held, trees in patient.sides:
            lost = [
                whole(d, trees.details[d].mapped_blocks, held=held)
                for d in devices
                if block in trees.roles
            ]
            found += [Told("node", block, "csum", hits=tuple(lost))] if lost else []
        return found
    if role is Role.DETAILS:
        return [Told("node", block, "csum") for _, trees in patient.sides if block in trees.roles]
    if role is Role.DATA_INDEX:
        return [Told("index", block, "csum")]
    return [Told("overflow", block, "csum")]


for _role in NODES:
    tree_node(_role, TALL, leaf=True)
    tree_node(_role, TALL, leaf=False)
    tree_node(_role, CHURN, leaf=True)
tree_node(Role.TOP_LEVEL, MANY, leaf=True)
tree_node(Role.DETAILS, MANY, leaf=True)
tree_node(Role.MAPPING, CHURN, leaf=False)


def is_high(patient: Patient, block: int) -> bool:
    """Whether the children of a node are internal."""
    ((child,), *_) = patient.node(block).values
    return patient.node(child).internal


def edge_recipe(name: str, field: str, pointer: Callable[[Patient, int, int], int]) -> None:
    """Note a recipe that makes the second entry of an internal node point elsewhere."""

    def do(patient: Patient) -> list[Told]:
        live = {edge.block for edge in patient.edges if not edge.in_metadata_snapshot}
        node = max(
            (
                b
                for b in patient.blocks(Role.MAPPING, leaf=False)
                if b in live and is_high(patient, b)
            ),
            key=lambda b: (len(patient.hits(b)), b),
        )
        patient.put(node, patient.value(node, 1), "Q", target := pointer(patient, node, 1))
        block = target if field == "height above the leaves" else node
        lost = single(patient.hits(parent=(node, 1)))
        return [Told("node", block, field, hits=lost)]

    recipe(TALL, name)(do)


edge_recipe("child-is-the-superblock", "child", lambda *_: 0)
edge_recipe("child-beyond-the-end", "child", lambda patient, *_: patient.whole.nr_blocks)


def leaf_below(patient: Patient, node: int, _: int) -> int:
    """Return a leaf far below a node."""
    while (of := patient.node(node)).internal:
        (node,) = of.values[0]
    return node


edge_recipe("child-is-at-another-height", "height above the leaves", leaf_below)
edge_recipe("child-is-the-node-itself", "height above the leaves", lambda _, node, __: node)


@recipe(TALL)
def child_is_its_neighbour(patient: Patient) -> list[Told]:
    """A leaf below edges that exclude each other fits none for certain: it is lost to all of them."""
    live = {edge.block for edge in patient.edges if not edge.in_metadata_snapshot}
    nodes = [b for b in patient.blocks(Role.MAPPING, leaf=False) if b in live]
    node = next(b for b in nodes if not is_high(patient, b) and len(patient.node(b).keys) > 1)
    (leaf,) = patient.node(node).values[0]
    patient.put(node, patient.value(node, 1), "Q", leaf)
    lost = [*patient.hits(leaf), *patient.hits(parent=(node, 1))]
    lost.sort(key=lambda hit: (hit.in_metadata_snapshot, hit.device, hit.begin))
    return [
        Told("node", leaf, "key", hits=single(lost)),
        Told("metadata-wrong-count", None, "count", runs=((leaf, 1),)),
    ]


@recipe(TALL)
def root_of_a_device_nowhere(patient: Patient) -> list[Told]:
    leaf, at = where(patient, Role.TOP_LEVEL, 5)
    patient.put(leaf, patient.value(leaf, at), "Q", 0)
    record = patient.whole.live.details[5].mapped_blocks
    found = [Told("node", leaf, "root", hits=(whole(5, record),))]
    snapshot = patient.whole.snapshot
    assert snapshot
    if leaf in snapshot.roles:
        found.append(Told("node", leaf, "root", hits=(whole(5, record, held=True),)))
    return found


@recipe(WALK)
def id_of_a_device_too_large(patient: Patient) -> list[Told]:
    """The record has no tree then, and the tree no record."""
    root = patient.whole.superblock.details_root
    last = len(patient.node(root).keys) - 1
    patient.put(root, patient.key(last), "Q", 1 << 24)
    return [Told("node", root, "device id"), Told("device-record", root, "device id")]


# ---- devices -------------------------------------------------------------------------------------


@recipe(WALK)
def device_without_record(patient: Patient) -> list[Told]:
    root = patient.whole.superblock.details_root
    patient.put(root, 16, "I", len(patient.node(root).keys) - 1)
    return [Told("device-record", root, "device id")]


@recipe(WALK)
def record_without_device(patient: Patient) -> list[Told]:
    """Its tree is not known to be gone, so nothing is called leaked."""
    root = patient.whole.superblock.mapping_root
    node = patient.node(root)
    patient.put(root, 16, "I", len(node.keys) - 1)
    mapped = patient.whole.live.details[node.keys[-1]].mapped_blocks
    return [Told("device-tree", root, "device id", hits=(whole(node.keys[-1], mapped),))]


@recipe(FULL)
def mapped_count(patient: Patient) -> list[Told]:
    device = max(patient.whole.live.details)
    record_field(patient, device, 0, "Q", patient.whole.live.details[device].mapped_blocks + 1)
    root = patient.whole.superblock.details_root
    return [Told("mapped-count", root, "mapped_blocks", hits=(whole(device),))]
