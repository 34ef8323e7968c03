//! A recorded machine file: one site written down, so that plans can be made for a machine that is
//! not the one nearside runs on (`--site FILE`).

use crate::project_file::SiteTable;
use crate::reader::Reader;
use crate::site::{self, MachineSource, Site};
use crate::structure::{self, Document};
use crate::{Assumption, Located, ProjectError};

/// A recorded machine.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteFile {
    /// The site; its machine is always [`MachineSource::Stated`] with cores and memory.
    pub site: Site,
    /// What the file does not say and was assumed.
    pub assumptions: Vec<Assumption>,
}

impl SiteFile {
    /// Reads `version`, `name` and the keys of a `[site.NAME]` table at the top level.
    ///
    /// ```
    /// use nearside_workload::SiteFile;
    /// let text = "version = 1\nname = \"tower\"\ncores = 16\nmemory = \"64 GiB\"\n\
    ///             accelerators = [{ device = \"rtx-4090\", count = 1 }]\n";
    /// assert_eq!(SiteFile::parse(text).unwrap().site.name, "tower");
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with the text, in its order.
    pub fn parse(text: &str) -> Result<Self, Vec<ProjectError>> {
        let mut document = structure::document(text)?;
        document.get_mut().remove("version");
        let mut reader = Reader::default();
        let name = take_name(&mut reader, &mut document);
        let table: SiteTable = structure::tables(document, text)?;
        let name = name.unwrap_or_default();
        if let Some(machine) = &table.machine {
            let message = "a machine file states the machine itself".to_owned();
            reader.report(&machine.span, message, Some("remove machine".to_owned()));
        }
        for (key, field) in [("cores", &table.cores), ("memory", &table.memory)] {
            if field.is_none() {
                let message = format!("a machine file needs {key}");
                reader.report(&(0..0), message, None);
            }
        }
        let mut site = site::read(&mut reader, &name, &table);
        if !matches!(site.machine, MachineSource::Stated(_)) {
            site.machine = MachineSource::Unstated;
        }
        reader.finish().map(|assumptions| Self { site, assumptions })
    }
}

/// Takes the name out of the file, so that the rest has the shape of a site table.
fn take_name(reader: &mut Reader, document: &mut Document<'_>) -> Option<Located<String>> {
    let hint = || Some("write name = \"tower\"".to_owned());
    let Some(name) = document.get_mut().remove("name") else {
        reader.report(&(0..0), "a machine file needs a name".to_owned(), hint());
        return None;
    };
    let (span, name) = (name.span(), name.into_inner());
    let Some(text) = name.as_str() else {
        let message = format!("expected a string, found {}", name.type_str());
        reader.report(&span, message, hint());
        return None;
    };
    let name = Located::new(text.to_owned(), span);
    reader.check_name("site", &name);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOWER: &str = "version = 1\nname = \"tower\"\nprocessor = \"AMD Ryzen 9 7950X\"\n\
                         cores = 16\nthreads = 32\nmemory = \"64 GiB\"\ndisk = \"2 TB\"\n\
                         accelerators = [{ device = \"rtx-4090\" }]\n\
                         price = \"3500 EUR\"\npower = { load = \"550 W\", idle = \"100 W\" }\n";

    #[test]
    fn a_recorded_machine_is_read() {
        let site = SiteFile::parse(TOWER).unwrap().site;
        let MachineSource::Stated(machine) = &site.machine else { panic!("{:?}", site.machine) };
        assert_eq!((machine.cores, machine.threads), (Some(16), Some(32)));
        assert_eq!(machine.accelerators[0].device.value, "rtx-4090");
        assert_eq!(machine.accelerators[0].count, 1);
    }

    #[test]
    fn what_is_missing_is_named() {
        let errors = SiteFile::parse("version = 1\nmachine = \"x.toml\"\n").unwrap_err();
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "a machine file needs a name",
                "a machine file needs cores",
                "a machine file needs memory",
                "a machine file states the machine itself",
            ]
        );
        let errors = SiteFile::parse("version = 1\nname = 3\n").unwrap_err();
        assert_eq!(errors[2].message, "expected a string, found integer");
        let errors = SiteFile::parse("name = \"x\"\n").unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
    }

    #[test]
    fn a_project_site_is_filled_from_its_file() {
        let text =
            "version = 1\n[site.lab]\nmachine = \"tower.toml\"\npower = { load = \"1 kW\" }\n";
        let project = crate::Project::parse(text).unwrap();
        let site = project.sites.own("lab").unwrap().clone();
        let filled = site.filled_from(SiteFile::parse(TOWER).unwrap().site);
        assert_eq!(filled.name, "lab");
        assert_eq!(filled.power.load.value().unwrap().to_string(), "1.00 kW");
        assert_eq!(filled.power.idle.value().unwrap().to_string(), "100 W");
        assert!(matches!(filled.machine, MachineSource::Stated(_)));
    }
}
