# SPDX-License-Identifier: Apache-2.0
"""A report of figures as lines to read."""
from __future__ import annotations


def lines(report: dict) -> list[str]:
    """
    Return what `obai benchmark` prints of its report.

    `ms per frame` is the line that another `obai benchmark --against` understands.
    """
    told = [_machine(report['machine'])]
    if 'case' in report:
        told.append(_case(report['case']))
    for part, write in _PARTS.items():
        if part in report:
            told += write(report[part])
    return told


def _machine(found: dict) -> str:
    what = f"{found['gpu']}, {found['cpu']}" if found['gpu'] else found['cpu']
    return (f"{what}, {found['cores']} cores, {found['threads']} threads, load "
            f"{found['load']:.1f}; python {found['python']}, torch {found['torch']}, obai_ros "
            f"{found['obai_ros']}")


def _case(case: dict) -> str:
    return (f"{case['preset']}, {case['engine']} engine, {case['precision']} on {case['device']}; "
            f"{case['iterations']} iterations, window {case['window']}, second look "
            f"{case['second_look']}, descent {case['descent']}, {case['slots']} slots, "
            f"{case['image_size']} px, batch {case['batch']}, camera {case['camera'][0]}x"
            f"{case['camera'][1]}")


def _perception(found: dict) -> list[str]:
    whole = found['ms_per_frame']
    told = ['', f"perception, {found['engine']} engine, {found['frames']} frames, weights "
            f"{found['weights']}",
            _row('ms per frame', f"{whole['p50']:.3f}", f"p99 {whole['p99']:.3f}",
                 f"per camera {found['ms_per_camera']:.3f}",
                 f"of all cores {found['cpu_ms_per_frame']:.3f}"),
            _row('  stage, ms', 'p50', 'p99', 'mean')]
    for stage, ms in found['stages_ms'].items():
        told.append(_row(f'  {stage}', *(f'{ms[name]:.3f}' for name in ('p50', 'p99', 'mean'))))
    total = sum(ms['mean'] for ms in found['stages_ms'].values())
    told.append(_row('  all stages', '', '', f'{total:.3f}',
                     f"of {found['clocked_mean_ms']:.3f} with the clock inside"))
    return told


def _node(found: dict) -> list[str]:
    whole, inside = found['ms_per_frame'], found['inside_ms']
    return ['', f"through perception_node, {found['engine']} engine, {found['frames']} frames, "
            f"{found['lost']} lost",
            _row('ms, image to beliefs', f"{whole['p50']:.3f}", f"p99 {whole['p99']:.3f}"),
            _row('  inside the node', *(f'{name} {ms:.3f}' for name, ms in inside.items())),
            _row('resident MB', f"{found['resident_mb']:.0f}"),
            _row('s until it looks', f"{found['ready_s']:.1f}")]


def _planning(found: dict) -> list[str]:
    told = ['', 'planner, from beliefs to an action field']
    for stage, ms in found.items():
        name = 'ms per answer' if stage == 'answer' else f'  {stage}'
        told.append(_row(name, f"{ms['p50']:.3f}", f"p99 {ms['p99']:.3f}"))
    return told


def _floors(found: dict) -> list[str]:
    ceiling = found['ceiling']
    told = ['', _row('GFLOP/s, convolution', f"{ceiling['convolution_gflops']:.0f}",
                     ceiling['convolution']),
            _row('GFLOP/s, matmul', f"{ceiling['matmul_gflops']:.0f}", ceiling['matmul']),
            _row('GB/s, copy', f"{ceiling['copy_gb_s']:.1f}", f"of {ceiling['copy_mb']:.1f} MB"),
            _row('floor, ms', f"{found['operations_ms']:.3f}",
                 f"{found['operations'] / 1e6:.0f} million operations at the faster of the two"),
            _row('floor, ms', f"{found['bytes_ms']:.3f}",
                 f"{found['bytes'] / 1e6:.0f} MB to be moved, at the speed of the copy")]
    if 'fraction_of_ceiling' in found:
        told.append(_row('reached', f"{found['fraction_of_ceiling']:.0%}",
                         'of the operations per second that are to be had'))
    return told


def _sweep(found: dict) -> list[str]:
    told = ['']
    for setting, costs in found.items():
        told.append(_row(f'ms by {setting}', *(f'{value}: {ms:.2f}'
                                                   for value, ms in costs.items())))
        if setting == 'batch':
            told.append(_row('  per camera', *(f'{value}: {ms / int(value):.2f}'
                                               for value, ms in costs.items())))
    return told


def _comparison(found: dict) -> list[str]:
    told = [_row('A, median ms', f"{found['a_ms']:.3f}", found['a']),
            _row('B, median ms', f"{found['b_ms']:.3f}", found['b']),
            f"B takes {found['ratio']:.3f} times as long as A ({found['ratio_low']:.3f} to "
            f"{found['ratio_high']:.3f} in {found['pairs']} pairs; {found['measured']})"]
    if found['ratio_of_all_cores'] is not None:
        told.append(f"and {found['ratio_of_all_cores']:.3f} times as much time of all cores")
    return told


def _row(name: str, *cells: str) -> str:
    return f'{name:24}' + '  '.join(f'{cell:>9}' for cell in cells)


_PARTS = {
    'perception': _perception,
    'node': _node,
    'floors': _floors,
    'planning_ms': _planning,
    'environment_sequences_per_s': lambda rate: [_row('sequences/s, drawn', f'{rate:.0f}')],
    'training': lambda found: [
        _row('sequences/s, learned', f"{found['sequences_per_s']:.1f}")
        + f"  {found['frames']} frames, {found['refinements']} refinements, batches of "
          f"{found['batch']}"],
    'sweep': _sweep,
    'comparison': _comparison,
    'endless': lambda found: [
        f"{found['frames']} frames of noise, preset {found['preset']}: "
        f"{found['resident_mb_early']:.0f} MB resident after a tenth of them, "
        f"{found['resident_mb_end']:.0f} MB at the end"],
    'peak_memory': lambda mb: [_row('peak memory, MB', *(
        f"{name.removesuffix('_mb')} {value:.0f}" for name, value in mb.items()))],
}
