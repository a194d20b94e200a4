"""The allow list of user SQL: node kinds (the parser's names), functions and table functions. Functions that read
files, the network, settings, the catalogue or other statements, that change anything, or sleep, are refused; expensive
ones are allowed, except those quadratic in a text (levenshtein), which cannot be interrupted."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NODES: Final = _words(
    """
    Select Union Intersect Except Subquery With CTE TableAlias From Join Where Group Having Qualify Order Ordered Limit
    Offset Fetch Distinct Star Alias Column Identifier Literal Boolean Null Paren Tuple
    And Or Not Xor EQ NEQ GT GTE LT LTE Is In Between Like ILike SimilarTo RegexpLike RegexpILike Escape NullSafeEQ
    NullSafeNEQ Add Sub Mul Div IntDiv Mod Pow Neg BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift
    BitwiseRightShift DPipe Case If Cast TryCast DataTypeParam Interval Window WindowSpec Filter WithinGroup
    IgnoreNulls RespectNulls Bracket Slice Array Struct PropertyEQ ToMap Map Dot JSONExtract JSONExtractScalar
    JSONPath JSONPathRoot JSONPathKey JSONPathSubscript JSONPathWildcard JSONPathSlice Lambda Comprehension Exists Any
    All Unnest Explode Lateral Values Placeholder Parameter Cube Rollup GroupingSets Extract TableSample Kwarg
    AtTimeZone CurrentDate CurrentTimestamp CurrentTime JSONKeyValue DateAdd DateSub
    """
)
"""Node kinds that need no check themselves: their parts are checked."""

RELATIONS: Final = _words("range generate_series unnest")  # functions allowed in place of a table

FUNCTIONS: Final = _words(
    """
    abs acos asin atan atan2 cbrt ceil ceiling cos cot degrees even exp factorial floor gamma gcd greatest greatest
    isfinite isinf isnan lcm least lgamma ln log log10 log2 pi pow power radians random round sign sin sqrt tan trunc
    xor add subtract multiply divide fdiv fmod mod

    any_value arg_max arg_max_null arg_min arg_min_null argmax argmin array_agg avg mean bit_and bit_or bit_xor bool_and
    bool_or count count_if countif count_star favg first fsum geomean geometric_mean group_concat histogram kahan_sum
    last list listagg max max_by min min_by product string_agg sum sumkahan approx_count_distinct approx_quantile
    approx_top_k reservoir_quantile corr covar_pop covar_samp entropy kurtosis kurtosis_pop mad median mode
    percentile_cont percentile_disc quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept
    regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp var_pop var_samp variance
    arbitrary grouping grouping_id

    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value

    array_extract ascii bar chr char_length character_length concat concat_ws contains
    ends_with format formatreadabledecimalsize formatreadablesize hamming hash instr jaccard
    jaro_similarity jaro_winkler_similarity left left_grapheme length len length_grapheme lower lcase lpad
    ltrim md5 mismatches nfc_normalize not_ilike_escape not_like_escape ord position prefix printf regexp_extract
    regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array repeat replace reverse
    right right_grapheme rpad rtrim sha1 sha256 split split_part starts_with str_split str_split_regex string_split
    string_split_regex string_to_array strip_accents strlen strpos substr substring substring_grapheme suffix to_base64
    from_base64 base64 translate trim ucase unicode upper url_decode url_encode encode decode hex unhex to_hex from_hex
    bin to_binary unbin like_escape ilike_escape

    age century current_date current_time current_timestamp date_add date_diff date_part date_sub date_trunc datediff
    datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade epoch epoch_ms epoch_ns epoch_us era
    extract get_current_timestamp hour isodow isoyear last_day localtime localtimestamp make_date make_time
    make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond minute month
    monthname now quarter second strftime strptime time_bucket timezone timezone_hour timezone_minute to_centuries
    to_days to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters
    to_seconds to_timestamp to_weeks to_years today transaction_timestamp try_strptime week weekday weekofyear year
    yearweek date_bin

    cast try_cast try coalesce ifnull if nullif nvl ifelse typeof error_on_null equi_width_bins

    array_aggregate array_append array_apply array_cat array_concat array_contains array_distance array_distinct
    array_filter array_has array_has_all array_has_any array_indexof array_intersect array_length array_position
    array_prepend array_push_back array_push_front array_reverse array_reverse_sort array_select array_slice array_sort
    array_to_string array_transform array_unique array_value array_zip apply cardinality element_at filter flatten
    generate_series generate_subscripts list_aggregate list_any_value list_append list_apply list_avg list_cat
    list_concat list_contains list_count list_distinct list_element list_extract list_filter list_first list_grade_up
    list_has list_has_all list_has_any list_histogram list_indexof list_intersect list_last list_max list_median
    list_min list_mode list_position list_prepend list_product list_reduce list_resize list_reverse list_reverse_sort
    list_select list_slice list_sort list_string_agg list_sum list_transform list_unique list_value list_where
    list_zip map map_concat map_contains map_entries map_extract map_extract_value map_from_entries map_keys map_values
    range reduce row struct_concat struct_extract struct_insert struct_pack struct_update unnest unpivot_list

    from_json from_json_strict json json_array json_array_length json_contains json_exists json_extract
    json_extract_path json_extract_path_text json_extract_string json_group_array json_group_object json_keys
    json_merge_patch json_object json_pretty json_quote json_structure json_transform json_transform_strict json_type
    json_valid json_value row_to_json to_json array_to_json

    uuid gen_random_uuid uuidv4 uuidv7
    """
)
"""Scalar, aggregate and window functions by DuckDB's names, in lower case."""
