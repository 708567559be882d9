//! Costs that the planner sees.

use pgrx::{Spi, pg_schema, pg_test};

#[pg_schema]
mod tests {
    use super::*;

    /// Total cost of the plan of a query, from EXPLAIN.
    fn cost(query: &str) -> f64 {
        let plan = Spi::get_one::<pgrx::Json>(&format!("EXPLAIN (FORMAT JSON) {query}")).unwrap().unwrap();
        plan.0[0]["Plan"]["Total Cost"].as_f64().unwrap()
    }

    /// A table of 1,000 vectors, its values inline or outside, and what computing a distance to each adds to its scan.
    fn distance_cost(dims: usize, storage: &str) -> f64 {
        Spi::run(&format!(
            "DROP TABLE IF EXISTS t;
             CREATE TABLE t (v vector({dims}));
             ALTER TABLE t ALTER v SET STORAGE {storage};
             INSERT INTO t SELECT array_agg(random())::vector FROM generate_series(1, {dims}) d, generate_series(1, 1000) r GROUP BY r;
             ANALYZE t"
        ))
        .unwrap();
        let query = format!("'[{}]'", vec!["1"; dims].join(","));
        cost(&format!("SELECT v <-> {query} FROM t")) - cost("SELECT v FROM t")
    }

    #[pg_test]
    fn distances_cost_more_with_dimensions_and_far_more_outside() {
        let inline = distance_cost(384, "plain");
        let wide = distance_cost(1536, "plain");
        let outside = distance_cost(1536, "external");
        assert!(inline > 0.0 && wide > 1.2 * inline, "{inline} {wide}");
        assert!(outside > 10.0 * wide, "{wide} {outside}");
    }

    #[pg_test]
    fn values_below_the_threshold_are_not_priced_as_toast() {
        assert_eq!(distance_cost(384, "external"), distance_cost(384, "plain"));
    }

    #[pg_test]
    fn expressions_without_a_column_have_a_cost_too() {
        let scan = "FROM generate_series(1, 1000) i";
        for expression in ["array[i, 1]::vector <-> '[1,2]'", "array[i, 1]::halfvec <#> array[1, i]::halfvec"]
        {
            assert!(cost(&format!("SELECT {expression} {scan}")) > cost(&format!("SELECT i {scan}")));
        }
    }
}
