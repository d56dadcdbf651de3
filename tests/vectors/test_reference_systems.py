"""Reference systems of every kind: their metres on the ground, and ways between them or an error that names both."""

import numpy as np
import pytest
from rasterio.crs import CRS

from projects.false.common.errors import InputError
from projects.false.vectors.reference_systems import check_flat, equal_area_around, metres_per_unit, project

LOCAL = 'LOCAL_CS["Site",LOCAL_DATUM["Site",0],UNIT["foot",0.3048],AXIS["X",EAST],AXIS["Y",NORTH]]'


@pytest.mark.parametrize(
    ('system', 'metres'),
    [
        ('EPSG:32633', 1.0),
        ('EPSG:25832+7837', 1.0),
        ('EPSG:2225', 0.3048006),
        (LOCAL, 0.3048),
        ('EPSG:4326', None),
        ('EPSG:4979', None),
        ('EPSG:3857', None),
        ('ESRI:102100', None),
        ('EPSG:3395', None),
        ('EPSG:4978', None),
    ],
)
def test_metres_per_unit(system, metres):
    assert metres_per_unit(CRS.from_user_input(system)) == (metres and pytest.approx(metres))


def test_geocentric_systems_and_heights_are_no_map():
    for system in ('EPSG:32633', 'EPSG:4326', LOCAL):
        check_flat(CRS.from_user_input(system), 'a.tif')
    for code in (4978, 5773):
        with pytest.raises(InputError, match=f'a.tif: its reference system, EPSG:{code}, is neither projected nor in'):
            check_flat(CRS.from_epsg(code), 'a.tif')


def test_points_are_projected_or_named():
    utm, degrees, local = (CRS.from_user_input(system) for system in ('EPSG:32633', 'EPSG:4326', LOCAL))
    points = np.array([[15.0, 0.0], [15.0, 52.0]])
    there = project(points, degrees, utm, 'a.gpkg')
    assert np.abs(there[:, 0] - 500_000).max() < 1e-3
    assert np.abs(project(there, utm, degrees, 'a.gpkg') - points).max() < 1e-9
    assert project(points, local, local, 'a.gpkg') is points
    with pytest.raises(InputError, match=r'a\.gpkg: 15, 99 cannot be projected to EPSG:32633; check its reference'):
        project(np.array([[15.0, 52.0], [15.0, 99.0]]), degrees, utm, 'a.gpkg')
    with pytest.raises(InputError, match=r'a\.gpkg: its reference system, Site, cannot be projected to EPSG:4326'):
        project(points, local, degrees, 'a.gpkg')


def test_nothing_is_cut_at_180_degrees():
    degrees = CRS.from_epsg(4326)
    across = project(
        np.array([[179.9, 0.0], [180.1, 0.0]]), degrees, equal_area_around((180.0, 0.0), degrees, 'a'), 'a'
    )
    assert np.ptp(across[:, 0]) == pytest.approx(0.2 * 111_320 * np.cos(np.radians(30)), rel=2e-3)
