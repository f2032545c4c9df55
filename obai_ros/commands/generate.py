# SPDX-License-Identifier: Apache-2.0
"""`obai generate`: write videos of the environment with their true segmentation."""
from __future__ import annotations

import argparse
import sys

from obai_ros.arguments import add_photographs, output_file, positive, seed, whole

SUMMARY = 'write fresh active-dSprites videos with true masks and actions to an .npz file'


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('out', type=output_file, help='the file to write, for instance test.npz')
    parser.add_argument('--sequences', type=positive, default=10_000)
    parser.add_argument('--frames', type=whole(2, 10**6, 'a length of videos'), default=8,
                        help='frames per video; 4 are seen, the rest is predicted (default: 8)')
    parser.add_argument('--objects', type=positive, default=3)
    parser.add_argument('--size', type=whole(1, 4096, 'a size of images'), default=64,
                        help='image size, px (default: 64)')
    add_photographs(parser)
    parser.add_argument('--seed', type=seed, default=0)
    parser.add_argument('--json', type=output_file, help='write a summary to this file')


def run(args: argparse.Namespace) -> int:
    from obai_ros.environment.photograph import in_any_colours
    from obai_ros.environment.scene import SceneConfig
    from obai_ros.training.dataset import generate_dataset, write_dataset
    from obai_ros.whole_file import write_json

    try:
        if args.out.suffix != '.npz':
            raise ValueError(f'{args.out} should end in .npz, by which it is known again')
        scene = SceneConfig(image_size=args.size, num_objects=args.objects)
        if args.photographs:
            scene = in_any_colours(scene)
        dataset = generate_dataset(scene, args.sequences, args.frames, args.seed,
                                   photographs=args.photographs)
        write_dataset(args.out, dataset)
    except (ValueError, OSError) as error:
        print(f'obai generate: {error}', file=sys.stderr)
        return 2
    summary = {'file': str(args.out), 'sequences': dataset.sequences, 'frames': dataset.frames,
               'image_size': args.size, 'objects': args.objects, 'seed': args.seed,
               'action_rows': len(dataset.actions), 'megabytes': args.out.stat().st_size / 1e6}
    if args.json:
        write_json(args.json, summary)
    print(f"{args.out}: {dataset.sequences} videos of {dataset.frames} frames, "
          f"{summary['megabytes']:.1f} MB")
    return 0
