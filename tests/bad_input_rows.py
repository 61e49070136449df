"""The bad-input table: input and what is expected of each row, and the tests that stand in other files.

E is an error that names file and reason, with nothing loaded; W loads with a warning that can be seen.
"""

from __future__ import annotations

ROWS: dict[int, tuple[str, str]] = {
    1: ("empty folder, folder of other files", "E, files counted by reason"),
    2: ("0-byte, half-header and 131-byte files", "skipped, listed"),
    3: ("pixel data cut off in one slice", "E names the slice"),
    4: ("no preamble; implicit VR, no meta", "read where plausible"),
    5: ("text renamed .dcm", "skipped"),
    6: ("SR, RTSTRUCT, PR, SEG, dose in the folder", "skipped by kind; SEG and RTSTRUCT are read as labels"),
    7: ("two series in a folder", "asked; E in a script"),
    8: ("missing middle slice", "E with index and place; interpolated on request"),
    9: ("missing end slices", "read; W where the numbering has a gap"),
    10: ("3 to 5 mm spacing", "as 8"),
    11: ("jitter of 0.04 and 0.2 mm in 3 mm", "read; E or interpolated"),
    12: ("gantry tilt of 15 degrees", "W, shear kept"),
    13: ("a file twice; two images at one place", "dropped with a note; E"),
    14: ("phases, gates, time frames", "one is chosen"),
    15: ("localizer, other Rows, other PixelSpacing in a series", "set apart"),
    16: ("two frames of reference", "set apart"),
    17: ("no ImagePositionPatient in one, in all", "E"),
    18: ("orientation not unit, not orthogonal, zero", "made orthonormal within 1e-3, else E"),
    19: ("PixelSpacing 0, negative, missing, of the imager only", "E"),
    20: ("1 slice, 2 slices, 1 x 1 pixel, 7 x 5 x 3", "read; E for models"),
    21: ("10 mm slices of 0.5 mm pixels", "measured in mm; W for models"),
    22: ("1500 slices", "read in 10 s, stopped in 1 s"),
    23: ("a slope a slice, the first one whole", "exact"),
    24: ("enhanced CT and PET, a slope a frame", "exact"),
    25: ("MONOCHROME1 CT", "not inverted"),
    26: ("PixelPaddingValue", "masked"),
    27: ("signed and unsigned, 12 and 16 and 32 bits", "right values"),
    28: ("big-endian, deflated, RLE, JPEG, J2K, JPEG-LS, HTJ2K", "read, or E names the package"),
    29: ("RGB, palette", "E"),
    30: ("RescaleSlope missing, 0, '1,5', 1e-9", "W (E for CT), E, E, read"),
    31: ("overlays, burned-in text", "W"),
    32: ("DICOMDIR and ZIP out of their root, links in circles, bombs, encrypted", "E"),
    33: ("deflate, RLE and J2K bombs, 65535 squared", "E in 1 s and 300 MB"),
    34: ("5000 nested sequences, an element of 4 GB", "E, no hang"),
    35: ("a program in the preamble", "W"),
    36: ("odd names, long paths, read-only", "read"),
    37: ("NIfTI bombs, cut off, bad type, bad sizes, bad checksum", "E"),
    38: ("NIfTI forms that disagree, none, singular, NaN, shear, metres", "E, W, E, E, W, W"),
    39: ("NIfTI 4D, 5D, RGB, complex, float64, slope NaN or 0", "chosen, E, E, E, read, slope 1"),
    40: ("NIfTI pair, .nii.zst, wrong ending", "read, E, told by content"),
    41: ("NaN, infinite, zero, constant, negative PET", "W or E"),
    42: ("metal of 30000 HU; CT of 0 to 4095", "read; W"),
    43: ("CT given as PET and the reverse", "W or E"),
    44: ("PET and CT of two patients, two frames, no overlap", "E, W, E"),
    45: ("every row of the SUV table", "as there"),
    46: ("labels of another shape, float, with gaps, on another grid", "E"),
    47: ("empty labels", "empty table, defined values"),
    48: ("lesions of one voxel, at the border, touching by a corner", "documented values"),
    49: ("SUVpeak at the edge, of less than 1 ml", "clipped"),
    50: ("model files: pickle, wrong hash, shape, cut off, web page, missing", "E, no code run"),
    51: ("no memory, no GPU", "fallback recorded"),
    52: ("disk full, read-only, existing target", "E, old file whole, nothing left"),
    53: ("cancel at every stage, close, delete, run twice", "no partial state"),
    54: ("layer edited, scaled, transposed", "stored geometry or E"),
    55: ("decimal comma, time zones, ACR-NEMA times, leap day", "parsed or E"),
    56: ("kill -9 while writing", "no half file under the name"),
}


def _in(file: str) -> str:
    return f"tests/{file}.py::"


_SCAN, _GEOMETRY, _PIXELS, _TAGS = (_in(f"io/dicom/test_{name}") for name in ("scan", "geometry", "pixels", "tags"))
_STUDY, _NIFTI, _VOLUMES = _in("io/test_study"), _in("io/test_nifti"), _in("io/test_volumes")
_LABELS, _ITK = _in("io/test_labels"), _in("io/test_itk")
_FINDINGS, _SUV = _in("imaging/test_findings"), _in("imaging/test_suv")
_DETECT, _LAYERS, _PANEL = _in("flows/test_detect"), _in("desktop/test_layers"), _in("desktop/test_panel")
_BUNDLE, _STORE, _DEVICE = _in("weights/test_bundle"), _in("weights/test_store"), _in("nn/test_device")
_SAFE, _ZIP, _DISC = _in("core/test_safe_write"), _in("io/test_zip_folder"), _in("io/dicom/test_dicomdir")

ELSEWHERE: dict[int, tuple[str, ...]] = {
    1: (_STUDY + "test_an_empty_folder_and_one_of_other_things_are_told",),
    2: (
        _SCAN + "test_files_that_are_no_images_are_listed_with_their_reason",
        _SCAN + "test_a_damaged_header_is_listed_and_noted_on_the_series",
    ),
    3: (_PIXELS + "TestDamage::test_a_file_cut_off_in_its_pixels_is_named_and_not_filled_with_zeros",),
    5: (_SCAN + "test_files_that_are_no_images_are_listed_with_their_reason",),
    6: ("tests/desktop/test_dicom_labels.py::test_a_folder_opens_its_labels_over_its_images",),
    7: (
        _STUDY + "test_of_two_series_one_has_to_be_named_by_number_uid_or_pseudonym",
        "tests/desktop/test_readers.py::test_of_two_series_one_is_asked_for",
    ),
    8: (_GEOMETRY + "test_missing_slices_are_named_by_index_and_place",),
    9: (_GEOMETRY + "test_slices_missing_at_an_end_leave_a_gap_in_the_numbering",),
    10: (_GEOMETRY + "test_uneven_spacing_names_the_place_where_it_breaks",),
    13: (_SCAN + "test_the_same_image_twice_is_taken_once", _GEOMETRY + "test_two_images_at_one_place_are_named"),
    17: (_GEOMETRY + "test_the_one_odd_file_is_named",),
    18: (
        _GEOMETRY + "test_directions_a_little_off_are_made_orthonormal",
        _GEOMETRY + "test_directions_that_are_none_are_refused",
    ),
    20: (_DETECT + "test_a_study_that_cannot_be_judged_is_refused_with_a_sentence",),
    23: (_PIXELS + "test_every_slice_has_a_slope_of_its_own_even_if_the_first_is_one",),
    24: ("tests/io/dicom/test_multiframe.py::test_every_frame_has_a_slope_of_its_own_exactly_as_highdicom_has_it",),
    25: (_PIXELS + "test_monochrome1_does_not_turn_values_round",),
    26: (_PIXELS + "TestPadding::test_it_becomes_air_in_ct_however_its_sign_was_written",),
    27: (
        _PIXELS + "test_signed_and_unsigned_slices_mix",
        _PIXELS + "test_pixels_of_any_width_and_sign_are_read",
        _PIXELS + "test_bits_above_the_stored_ones_are_no_values",
    ),
    28: (_PIXELS + "TestDamage::test_an_unknown_compression_is_named_with_its_remedy",),
    29: (_PIXELS + "TestDamage::test_a_colour_picture_is_no_measurement",),
    30: (
        _PIXELS + "TestRescale::test_none_that_is_a_number_is_refused",
        _PIXELS + "TestRescale::test_ct_without_them_is_not_in_hu",
        _PIXELS + "TestRescale::test_others_without_a_slope_are_taken_as_stored_and_told",
    ),
    32: (
        _ZIP + "test_a_name_that_leads_out_refuses_the_archive",
        _ZIP + "test_an_encrypted_archive_says_so",
        _ZIP + "test_a_bomb_is_refused_by_what_it_declares",
        _ZIP + "test_members_that_overlap_are_refused",
        _ZIP + "test_links_and_archives_inside_are_left_out",
        _DISC + "test_an_index_that_leads_out_of_its_folder_is_refused",
        _DISC + "test_a_link_that_leads_out_of_its_folder_is_refused",
    ),
    33: (_PIXELS + "TestDamage::test_a_decompression_bomb_is_refused_by_its_header",),
    34: (_SCAN + "test_a_deeply_nested_header_does_not_hang",),
    37: (
        _NIFTI + "test_a_damaged_file_is_refused_by_name",
        _NIFTI + "test_a_header_that_claims_the_moon_is_refused_before_memory_is_taken",
    ),
    38: (
        _NIFTI + "test_forms_that_disagree_are_refused",
        _NIFTI + "test_a_singular_or_infinite_affine_is_refused",
        _NIFTI + "test_other_units_become_millimetres_and_that_is_said",
        _NIFTI + "test_shear_is_kept_and_said_and_leaves_the_qform_out",
    ),
    39: (
        _NIFTI + "test_of_four_dimensions_one_volume_has_to_be_chosen",
        _NIFTI + "test_colours_and_complex_numbers_are_refused",
        _NIFTI + "test_a_slope_of_nothing_means_no_scaling",
    ),
    40: (
        "tests/io/test_wrong_names.py::test_a_file_under_the_name_of_another_kind_is_told_by_its_content",
        "tests/io/test_wrong_names.py::test_a_nifti_pair_is_read_by_its_header_and_a_lone_half_is_told",
        "tests/io/test_wrong_names.py::test_zstandard_is_told_by_its_name",
    ),
    41: (
        _VOLUMES + "test_a_few_voxels_that_are_no_numbers_are_mended_and_counted",
        _VOLUMES + "test_more_than_one_in_a_hundred_is_refused",
        _DETECT + "test_a_study_that_cannot_be_judged_is_refused_with_a_sentence",
    ),
    42: (_VOLUMES + "test_numbers_that_belie_their_unit_are_doubted",),
    43: (_VOLUMES + "test_numbers_that_belie_their_unit_are_doubted",),
    44: (
        _STUDY + "test_two_patients_are_no_study",
        _STUDY + "test_two_frames_of_reference_are_said",
        _STUDY + "test_a_ct_and_a_pet_with_no_place_in_common_are_refused",
    ),
    45: (
        _SUV + "TestPhilipsCounts::test_of_both_the_suv_factor_is_used",
        _SUV + "test_uncorrected_images_have_no_suv",
        "tests/io/dicom/test_suv.py::test_ges_time_is_told_by_its_creator_and_not_by_the_maker",
        "tests/io/dicom/test_suv_table.py::test_a_row_is_as_expected",
    ),
    46: (_LABELS + "test_labels_of_another_grid_are_refused", _LABELS + "test_what_is_no_label_is_refused_by_name"),
    47: (
        _FINDINGS + "test_an_empty_label_image_has_no_findings",
        "tests/imaging/test_metrics.py::test_dice_of_nothing_to_find_is_none",
        "tests/flows/test_export.py::test_an_empty_result_is_refused",
    ),
    48: (
        _FINDINGS + "test_corner_neighbours_are_joined_by_26_edge_neighbours_by_18_face_neighbours_by_6",
        _FINDINGS + "test_a_box_reads_its_sides_and_one_voxel_its_own_width",
    ),
    49: (_FINDINGS + "test_suv_peak_of_an_even_image_is_its_value_to_the_very_border",),
    50: (
        _BUNDLE + "test_a_pickle_is_refused_and_not_run",
        _BUNDLE + "test_every_truncation_is_a_damaged_file",
        _BUNDLE + "test_a_web_page_is_called_a_web_page",
        _STORE + "test_a_file_of_another_hash_is_refused_wherever_it_lies",
        _STORE + "test_missing_weights_say_where_they_were_looked_for_and_how_to_get_them",
    ),
    51: (
        _DEVICE + "test_a_device_that_never_has_enough_hands_over_to_the_cpu_and_says_so",
        _DEVICE + "test_device_and_cpu_without_memory_end_in_an_error",
        _DEVICE + "test_absent_devices_are_refused_with_a_way_out",
    ),
    52: (
        _SAFE + "test_a_full_disk_leaves_the_old_file_and_no_other",
        _SAFE + "test_on_a_disk_that_is_really_full_nothing_is_left",
        "tests/io/test_export_faults.py::test_a_write_that_fails_at_any_byte_leaves_what_was_there",
        _SAFE + "test_a_read_only_file_is_not_replaced",
        _NIFTI + "test_a_full_disk_leaves_nothing",
        _ITK + "test_a_full_disk_on_which_simpleitk_says_nothing_leaves_nothing",
    ),
    53: (
        _PANEL + "test_cancel_stops_within_a_slice_and_changes_nothing",
        _PANEL + "test_closing_the_window_during_a_run_stops_it",
        _PANEL + "test_a_layer_deleted_during_a_run_is_named_and_the_result_is_shown",
        _PANEL + "test_a_second_run_is_refused_with_a_sentence",
        _DETECT + "test_a_cancelled_training_writes_nothing",
    ),
    54: (
        _LAYERS + "test_a_layer_moved_in_the_viewer_is_refused",
        _LAYERS + "test_labels_moved_in_the_viewer_are_refused",
    ),
    55: (
        _TAGS + "test_times_of_day_are_read_in_all_their_lengths",
        _TAGS + "test_dates_are_read_or_not_at_all",
        _TAGS + "test_moments_are_those_of_the_scanners_clock",
    ),
    56: ("tests/io/test_export_faults.py::test_exports_that_are_killed_or_run_out_of_disk_leave_nothing_half_written",),
}
