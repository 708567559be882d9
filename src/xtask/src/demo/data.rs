//! The demo's data, and exact answers computed without PostgreSQL.

use super::npy::Rows;
use anyhow::{Context, Result, ensure};
use kite_cluster::workspace_root;
use postgres::Client;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

/// A row of the table `packages`.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) section: String,
    pub(crate) installed_kb: i32,
    pub(crate) summary: String,
    pub(crate) embedding: Vec<f32>,
}

/// Reads the repository's files.
pub(crate) fn read() -> Result<Vec<Package>> {
    let folder = workspace_root().join("demo");
    let path = folder.join("embeddings.f16.npy");
    let embeddings = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let embeddings = Rows::read(&embeddings).with_context(|| format!("cannot read {}", path.display()))?;
    let mut table = csv::Reader::from_path(folder.join("packages.csv"))?;
    let packages = table
        .records()
        .zip(embeddings.iter())
        .map(|(record, embedding)| {
            let record = record?;
            let text = |column: usize| record.get(column).unwrap_or_default().to_owned();
            Ok(Package {
                id: text(0).parse()?,
                name: text(1),
                section: text(2),
                installed_kb: text(3).parse()?,
                summary: text(4),
                embedding: embedding.iter().map(|value| value.to_f32()).collect(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    ensure!(
        packages.len() == embeddings.iter().len() && table.records().next().is_none(),
        "packages.csv and embeddings.f16.npy are not of equal length"
    );
    Ok(packages)
}

/// Makes and fills the table `packages`.
pub(crate) fn load(client: &mut Client, packages: &[Package]) -> Result<()> {
    let dimensions = packages.first().context("no packages")?.embedding.len();
    client.batch_execute(&format!(
        "CREATE TABLE packages (
            id int PRIMARY KEY,
            name text NOT NULL,
            section text NOT NULL,
            installed_kb int NOT NULL,
            summary text NOT NULL,
            embedding vector({dimensions}) NOT NULL
        )"
    ))?;
    let mut copy = csv::Writer::from_writer(client.copy_in("COPY packages FROM STDIN (FORMAT csv)")?);
    for package in packages {
        let (id, kb) = (package.id.to_string(), package.installed_kb.to_string());
        let embedding = literal(&package.embedding);
        copy.write_record([&id, &package.name, &package.section, &kb, &package.summary, &embedding])?;
    }
    let copied = copy.into_inner().map_err(csv::IntoInnerError::into_error)?.finish()?;
    ensure!(copied == packages.len() as u64, "{copied} rows were copied instead of {}", packages.len());
    client.batch_execute("VACUUM ANALYZE packages")?;
    Ok(())
}

/// A vector as SQL text. Rust prints the shortest number that reads back as the same `f32`.
fn literal(vector: &[f32]) -> String {
    let mut text = String::from("[");
    for (i, value) in vector.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{value}");
    }
    text + "]"
}

/// Cosine distance in double precision.
pub(crate) fn cosine_distance(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// A vector in double precision.
pub(crate) fn widen(vector: &[f32]) -> Vec<f64> {
    vector.iter().copied().map(f64::from).collect()
}

/// Packages by distance from `from`, nearest first, of those that `keep` admits: name and distance.
pub(crate) fn nearest<'a>(
    packages: &'a [Package],
    from: &Package,
    keep: impl Fn(&Package) -> bool,
) -> Vec<(&'a str, f64)> {
    let wanted = widen(&from.embedding);
    let mut found: Vec<(&str, f64)> = packages
        .iter()
        .filter(|package| keep(package))
        .map(|package| (package.name.as_str(), cosine_distance(&wanted, &widen(&package.embedding))))
        .collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found
}

/// Sections by the distance of their mean embedding from `from`, nearest first: name and distance.
pub(crate) fn nearest_sections<'a>(packages: &'a [Package], from: &Package) -> Vec<(&'a str, f64)> {
    let mut members: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        members.entry(&package.section).or_default().push(package);
    }
    let wanted = widen(&from.embedding);
    let mut found: Vec<(&str, f64)> = members
        .into_iter()
        .map(|(section, members)| {
            let mut sum = vec![0.0; wanted.len()];
            for package in members {
                sum.iter_mut().zip(&package.embedding).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            // The mean points where the sum does, and cosine looks at nothing else.
            (section, cosine_distance(&wanted, &sum))
        })
        .collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, section: &str, embedding: &[f32]) -> Package {
        let (name, section, embedding) = (name.into(), section.into(), embedding.to_vec());
        Package { id: 1, name, section, installed_kb: 1, summary: String::new(), embedding }
    }

    #[test]
    fn the_repository_carries_what_its_readme_says() {
        let packages = read().unwrap();
        assert_eq!(packages.len(), 1846);
        assert!(packages.iter().all(|package| package.embedding.len() == 384));
        assert!(packages.iter().zip(1..).all(|(package, id)| package.id == id));
        assert_eq!(
            packages.iter().map(|package| &package.section).collect::<std::collections::BTreeSet<_>>().len(),
            10
        );
    }

    #[test]
    fn exact_search_sorts_by_angle() {
        let packages = [
            package("far", "b", &[-1.0, 0.0]),
            package("q", "a", &[2.0, 0.0]),
            package("near", "b", &[3.0, 3.0]),
        ];
        let found = nearest(&packages, &packages[1], |package| package.name != "q");
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["near", "far"]);
        assert!((found[0].1 - (1.0 - 0.5_f64.sqrt())).abs() < 1e-12 && (found[1].1 - 2.0).abs() < 1e-12);

        let sections = nearest_sections(&packages, &packages[1]);
        assert_eq!(sections.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "b"]);
        assert!((sections[1].1 - (1.0 - 2.0 / 13.0_f64.sqrt())).abs() < 1e-12, "{sections:?}");
    }

    #[test]
    fn literals_read_back_exactly() {
        let vector = [0.1, -65504.0, 1.0 / 3.0, 5.960_464_5e-8];
        let text = literal(&vector);
        let read: Vec<f32> =
            text.trim_matches(['[', ']']).split(',').map(|value| value.parse().unwrap()).collect();
        assert_eq!(read, vector);
    }
}
