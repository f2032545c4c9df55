# SPDX-License-Identifier: Apache-2.0
import io
import zipfile

import numpy as np
import pytest
import torch

from obai_ros.environment.scene import SceneConfig, step
from obai_ros.environment.sequences import sample_sequences
from obai_ros.training.dataset import (GENERATED_SEED, Dataset, generate_dataset, read_dataset,
                                       write_dataset)

SCENE = SceneConfig(image_size=32)


def test_a_file_gives_back_the_videos_and_their_actions(tmp_path):
    dataset = generate_dataset(SCENE, 5, 4, seed=1)
    write_dataset(tmp_path / 'videos.npz', dataset)
    again = read_dataset(tmp_path / 'videos.npz')
    images, labels, fields = again.part(0, 5)
    videos = sample_sequences(SCENE, 5, 4, torch.Generator().manual_seed(GENERATED_SEED + 1),
                              action_frames=(1,))
    assert torch.allclose(images, videos.images, atol=1e-6)
    assert torch.equal(labels, videos.labels)
    # The actions of the file do to the scene what the original ones did.
    before, after = videos.scenes[1], videos.scenes[2]
    assert torch.allclose(step(before, labels[:, 1], fields[1]).position, after.position,
                          atol=1e-4)
    assert [field.row.shape[1] for field in fields] == [0, 4, 0, 0]


def test_parts_have_their_own_actions():
    dataset = generate_dataset(SCENE, 6, 3, seed=0)
    whole, part = dataset.part(0, 6)[2][1], dataset.part(4, 6)[2][1]
    assert torch.equal(part.dense(), whole[4:6].dense())


def test_the_seed_decides():
    one, two, other = (generate_dataset(SCENE, 2, 2, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.images, two.images) and not np.array_equal(one.images, other.images)


def sound():
    return {'images': np.zeros((2, 3, 8, 8, 3), np.uint8),
            'masks': np.zeros((2, 3, 8, 8), np.uint8),
            'actions': np.array([[1, 2, 7, 7, 1.0, -1.0]], np.float32)}


@pytest.mark.parametrize('name, value, complaint', [
    ('images', np.zeros((2, 3, 8, 8), np.uint8), 'images is uint8'),
    ('images', np.zeros((2, 3, 8, 8, 3), np.float32), 'images is float32'),
    ('images', np.zeros((0, 3, 8, 8, 3), np.uint8), 'nothing in it'),
    ('masks', np.zeros((2, 3, 8, 9), np.uint8), 'masks is uint8'),
    ('actions', np.zeros((4, 5), np.float32), 'actions is float32'),
    ('actions', np.array([[2, 0, 0, 0, 1, 1]], np.float32), 'row 0 has sequence 2.*0..1'),
    ('actions', np.array([[0, 3, 0, 0, 1, 1]], np.float32), 'row 0 has frame 3.*0..2'),
    ('actions', np.array([[0, 0, 8, 0, 1, 1]], np.float32), 'row 0 has row 8.*0..7'),
    ('actions', np.array([[0, 0, 0, 1.5, 1, 1]], np.float32), 'col 1.5.*whole number'),
    ('actions', np.array([[0, 0, 0, 0, np.nan, 1]], np.float32), 'not finite')])
def test_what_is_not_in_the_format_is_refused(tmp_path, name, value, complaint):
    Dataset(**sound())
    np.savez(tmp_path / 'bad.npz', **{**sound(), name: value})
    with pytest.raises(ValueError, match=complaint):
        read_dataset(tmp_path / 'bad.npz')


def test_files_that_are_not_data_sets_are_refused(tmp_path):
    with pytest.raises(ValueError, match='does not exist'):
        read_dataset(tmp_path / 'none.npz')
    (tmp_path / 'text.npz').write_text('hello')
    with pytest.raises(ValueError, match='not an .npz file|damaged'):
        read_dataset(tmp_path / 'text.npz')
    np.savez(tmp_path / 'words.npz', **{**sound(), 'masks': np.array([None, 'word'])})
    with pytest.raises(ValueError, match='words.npz: masks in it cannot be read as an array'):
        read_dataset(tmp_path / 'words.npz')
    np.savez(tmp_path / 'part.npz', images=sound()['images'])
    with pytest.raises(ValueError, match="lacks .'masks', 'actions'"):
        read_dataset(tmp_path / 'part.npz')


def overwritten(content):
    """Damage the compressed data: deflate has no such block."""
    start = content.index(b'images.npy') + len('images.npy')
    return content[:start] + b'\xff' * 8 + content[start + 8:]


def unknown_compression(content):
    """Say, in the directory at the end and where the file begins, that it is packed otherwise."""
    directory = content.index(b'PK\x01\x02')
    return content[:8] + b'\x63' + content[9:directory + 10] + b'\x63' + content[directory + 11:]


def locked(content):
    """Say in both places that there is a password."""
    directory = content.index(b'PK\x01\x02')
    return content[:6] + b'\x01' + content[7:directory + 8] + b'\x01' + content[directory + 9:]


@pytest.mark.parametrize('damage', [overwritten, unknown_compression, locked])
def test_damaged_files_are_refused_in_a_sentence(tmp_path, damage):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, value in sound().items():
            array = io.BytesIO()
            np.save(array, value)
            file.writestr(f'{name}.npy', array.getvalue())
    path = tmp_path / 'damaged.npz'
    path.write_bytes(whole.getvalue())
    read_dataset(path)
    path.write_bytes(damage(whole.getvalue()))
    with pytest.raises(ValueError, match='damaged.npz is not an .npz file, or is damaged: '):
        read_dataset(path)
