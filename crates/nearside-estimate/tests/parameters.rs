//! Parameter counts of every model in the catalog that has a graph, counted from its operator graph, against the
//! published ones.

use nearside_architecture::{Architecture, Graph, Shape};
use nearside_catalog::Catalog;

/// Largest difference from the published count.
const TOLERANCE: f64 = 0.005;

#[test]
fn graphs_have_the_published_number_of_parameters() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let mut counted = 0;
    for model in catalog.models() {
        let architecture = model.architecture().expect("a readable config");
        let (Some(graph), Some(published)) =
            (architecture.graph(Shape::prompt(1, 1)), model.published_parameters)
        else {
            continue;
        };
        // Pipelines are published by their denoiser's parameters, counted below.
        let attached: u64 = match &architecture {
            Architecture::Pipeline(_) => continue,
            Architecture::Decoder(decoder) => {
                decoder.attached.iter().map(|part| part.parameters).sum()
            }
            _ => 0,
        };
        let total = graph.parameter_count() + attached;
        let difference = total as f64 / published as f64 - 1.0;
        println!("{:+.4} %  {}  {total} against {published}", difference * 100.0, model.name);
        assert!(difference.abs() <= TOLERANCE, "{}: {total} against {published}", model.name);
        counted += 1;
    }
    assert!(counted >= 70, "only {counted} models were counted");
}

#[test]
fn denoisers_have_the_published_number_of_parameters() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let mut counted = 0;
    for model in catalog.models() {
        let architecture = model.architecture().expect("a readable config");
        let (Architecture::Pipeline(pipeline), Some(published)) =
            (architecture, model.published_parameters)
        else {
            continue;
        };
        let denoiser = pipeline.denoiser().expect("a denoiser");
        let graph = denoiser.architecture.graph(Shape::images(1, None)).expect("a graph");
        assert_eq!(graph.parameter_count(), published, "{}", model.name);
        counted += 1;
    }
    assert_eq!(counted, 8, "pipelines of the catalog");
}

#[test]
fn active_parameters_of_mixtures_are_near_the_published_ones() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let mut counted = 0;
    for model in catalog.models() {
        let architecture = model.architecture().expect("a readable config");
        let (Architecture::Decoder(decoder), Some(published)) =
            (architecture, model.published_active_parameters)
        else {
            continue;
        };
        let active = Graph::of(&decoder, Shape::prompt(1, 1)).active_parameter_count();
        let difference = active as f64 / published as f64 - 1.0;
        println!("{:+.2} %  {}  {active} against {published}", difference * 100.0, model.name);
        // Publishers count the embedding table or not; it is up to a tenth of small mixtures.
        assert!(difference.abs() <= 0.13, "{}: {active} against {published}", model.name);
        counted += 1;
    }
    assert!(counted >= 4, "only {counted} mixtures were counted");
}

/// Image classifiers have exactly as many as their makers' modules.
#[test]
fn image_classifiers_have_exactly_the_published_number_of_parameters() {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let mut counted = 0;
    for model in catalog.models() {
        let architecture = model.architecture().expect("a readable config");
        let classifier = matches!(
            architecture,
            Architecture::Convolutional(_)
                | Architecture::ImageTransformer(_)
                | Architecture::WindowTransformer(_)
        );
        let (true, Some(published)) = (classifier, model.published_parameters) else { continue };
        let graph = architecture.graph(Shape::images(1, None)).expect("a graph");
        assert_eq!(graph.parameter_count(), published, "{}", model.name);
        counted += 1;
    }
    assert!(counted >= 80, "only {counted} image classifiers were counted");
}
