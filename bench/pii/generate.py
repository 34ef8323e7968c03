#!/usr/bin/env python3
"""Which texts does a scanner of personal data and secrets have to get right? A held-out set, from a seed.

    python3 bench/pii/generate.py --seed 7 --documents 3000 > FILE     writes one JSON object per line
    python3 bench/pii/generate.py --check FILE                         verifies offsets, check digits and leaks

Every name, street, template and header here was written for this file from general knowledge; no list of a package and
no rule of the scanner was read. Values are random; whatever has check digits carries right ones, decoys wrong ones.

A value is planted with marks around it (private-use characters), so that templates, JSON, CSV and XML writers handle
plain strings; `finish` takes the marks out and turns them into UTF-8 byte offsets, end-exclusive.

What a span covers: PERSON the name without title; ADDRESS the line of street, number and unit, without postcode and
town; GEO the pair of coordinates, or each number where they are two fields; PASSWORD the value without quotes;
PRIVATE_KEY the block from its first to its last dash. A town, a company and an e-mail's host are not marked.
"""
import argparse
import base64
import collections
import datetime
import hashlib
import json
import random
import re
import string
import sys
import unicodedata
import zlib

SPAN, DECOY, MID, END = "\ue000", "\ue003", "\ue001", "\ue002"
R = random.Random(0)
UP, LOW, DIG = string.ascii_uppercase, string.ascii_lowercase, string.digits
ALNUM = string.ascii_letters + DIG


def S(kind, value):
    return f"{SPAN}{kind}{MID}{value}{END}"


def D(kind, value):
    return f"{DECOY}{kind}{MID}{value}{END}"


def one(items):
    return items[R.randrange(len(items))]


def chance(p):
    return R.random() < p


def some(alphabet, n):
    return "".join(one(alphabet) for _ in range(n))


def digits(n):
    return some(DIG, n)


def words(text):
    return [w.strip() for w in text.replace("\n", " ").split(",") if w.strip()]


def plain(text):
    text = text.replace("ł", "l").replace("Ł", "L").replace("ß", "ss").replace("ø", "o").replace("æ", "ae")
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


# ---------------------------------------------------------------------------------------------------------------------
# Names, streets, towns, companies: locale -> men, women, families, streets, towns, companies, hosts

NAMES = {
    "en_US": ("""Jonathan, Marcus, Dwayne, Terrence, Caleb, Wyatt, Garrett, Preston, Lamar, Desmond, Ezekiel, Thaddeus, Malik,
        Brody, Colton, Russell, Leland, Emmett, Jamal, Roscoe, Quincy, Zachary""",
        """Shaniqua, Madison, Brianna, Latoya, Mackenzie, Savannah, Tabitha, Rosalind, Loretta, Guadalupe, Peyton, Delilah,
        Keisha, Autumn, Marguerite, Beatrix, Winona, Leilani, Ximena, Anneliese, Mary-Kate, Josephine""",
        """Abernathy, Blackwood, Castellanos, Delgado, Eubanks, Fitzgerald, Galloway, Hutchinson, Ibarra, Jankowski,
        Kowalczyk-Reed, Lattimore, McAllister, Nakamura, O'Donnell, Pettigrew, Quiñones, Rutherford, Stallworth, Thibodeaux,
        Underwood, Valdez, Weatherspoon, Xiong, Yamamoto, Zimmerman, Begay, Okafor, Van Buren, St. Clair, DuBois, Lindqvist,
        Haverford, Washington-Cole, Nguyen, Kim, Trask, Hollingsworth, MacDougall, Ferrante, Bloomquist, Sizemore"""),
    "en_CA": ("""Liam, Étienne, Gordon, Angus, Tremblay-Noah, Mathieu, Darcy, Callum, Benoît, Duncan, Harjit, Raymond, Olivier,
        Wendell, Tyrell, Kieran, Maxime, Lachlan, Ignace, Arjun, Declan, Thierry""",
        """Charlotte, Geneviève, Maeve, Noémie, Fiona, Catriona, Shauna, Mélanie, Priscilla, Gurleen, Heather, Marie-Ève,
        Solange, Brenna, Corinne, Tamsin, Océane, Aaliyah, Ingrid, Rosemarie, Sunniva, Anaïs""",
        """Tremblay, Gagnon, MacLeod, Bouchard, Singh-Gill, Chartrand, McTavish, Fraser, Lévesque, Oakes, Beaulieu, Kowalchuk,
        Drummond, Sandhu, Pelletier, Sinclair, Ouellette, Cardinal, Whitefeather, Thériault, Campbell, Desrosiers, Friesen,
        Hryniuk, Kaur, Lafontaine, Mackenzie-Ross, Nadeau, Obomsawin, Poitras, Qureshi, Robichaud, St-Pierre, Toews,
        Vaillancourt, Wiebe, Yellowknee, Zaporzan, D'Amour, Leblanc, Cheung, Ferguson"""),
    "en_GB": ("""Alistair, Nigel, Rhys, Gareth, Hamish, Crispin, Barnaby, Rupert, Ewan, Imran, Tariq, Llewellyn, Graham, Clive,
        Fergus, Iestyn, Dafydd, Rory, Horatio, Kwame, Piers, Jolyon""",
        """Imogen, Philippa, Siobhán, Gwendolyn, Harriet, Arabella, Nerys, Morag, Clementine, Tamara, Sian, Bronwen, Eilidh,
        Henrietta, Poppy, Shazia, Parveen, Verity, Ottoline, Rosamund, Ffion, Anne-Marie""",
        """Ashworth, Braithwaite, Cholmondeley, Dalrymple, Entwistle, Featherstonehaugh, Gillespie, Higginbottom, Iqbal,
        Jellicoe, Kinnear, Lockwood, Mainwaring, Nettleship, Ormerod, Postlethwaite, Quayle, Rowbotham, Smith-Barry,
        Thistlethwaite, Uttley, Vaughan-Jones, Wigglesworth, Yardley, Adeyemi, O'Rourke, McGillivray, Ap Rhys, Begum, Chaudhry,
        Fairbairn, Pritchard, Trelawney, Penhaligon, Bickerstaff, Oyelaran, Cruickshank, Llewelyn-Davies, Hussain, Swindlehurst,
        de Courcy, Patel"""),
    "en_AU": ("""Lachie, Darren, Bruce, Jarrod, Brayden, Shane, Campbell, Hamilton, Koa, Trent, Baden, Rowan, Angus, Cooper,
        Vikram, Nathaniel, Kip, Duc, Giorgio, Stavros, Damien, Leith""",
        """Kylie, Matilda, Sheree, Jacinta, Tahlia, Bronte, Narelle, Marnie, Elspeth, Indiana, Kiri, Thuy, Despina, Yasmin,
        Raelene, Tegan, Coralie, Saoirse, Lowanna, Gemma, Mary-Anne, Philomena""",
        """Wilkinson, Papadopoulos, Tran, Gallagher, McPherson, Yunupingu, Bannerman, Costello, Dunstan, Eddington, Fairweather,
        Giannopoulos, Hargreaves, Ingleby, Jarrett, Kekovich, Langford, Mulligan, Noonan, O'Shea, Pham, Quinlan, Ridgeway,
        Sorensen, Tomlinson, Uluave, Vasiliadis, Wanganeen, Yates, Zammit, Bui, Del Rosario, Fitzpatrick-Hall, Kaczmarek,
        MacArthur, Nolan, Prescott, Sattler, Thorburn, Van der Linden, Whitby, Blackett"""),
    "en_IN": ("""Rajesh, Aditya, Venkatesh, Harpreet, Mohammed, Suresh, Karthik, Debashish, Iqbal, Anirudh, Ravindra, Siddharth,
        Gurpreet, Yashwant, Balakrishnan, Nitin, Farhan, Omkar, Pranav, Thomas, Ganesh, Ujjwal""",
        """Priyanka, Lakshmi, Ananya, Deepika, Shreya, Fathima, Kavitha, Meenakshi, Sunita, Harshita, Nandini, Rukmini, Zoya,
        Parvathi, Ishita, Jaspreet, Aishwarya, Bhavna, Chitra, Swati, Tanvi, Radhika""",
        """Krishnamurthy, Banerjee, Chatterjee, Iyer, Subramanian, Deshpande, Kulkarni, Bhattacharya, Reddy, Naidu, Agarwal,
        Mehta, Joshi, Malhotra, Kapoor, Chopra, Gowda, Menon, Nair, Pillai, Venkataraman, Mukherjee, Sengupta, Rathore, Chauhan,
        Ahluwalia, Ghosh, Das Gupta, Varghese, Kurian, D'Souza, Fernandes, Sheikh, Ansari, Thakur, Mishra, Trivedi, Bhat,
        Shetty, Hegde, Khandelwal, Jadhav"""),
    "de_DE": ("""Jürgen, Götz, Karl-Heinz, Matthias, Torsten, Uwe, Björn, Lennart, Ansgar, Heiko, Burkhard, Dietmar, Emre, Cem,
        Holger, Ruprecht, Sönke, Volker, Wilhelm, Jörg, Hans-Peter, Tjark""",
        """Käthe, Annegret, Heike, Ursula, Gudrun, Anke, Friederike, Mechthild, Sieglinde, Birte, Swantje, Leonie, Ayşe,
        Elfriede, Hannelore, Irmgard, Katharina, Roswitha, Ulrike, Anna-Lena, Wiebke, Svenja""",
        """Schäfer, Krüger, Hoffmann, Böttcher, von der Heide, Özdemir, Schröder, Weiß, Großmann, Lindemann, Zimmermann, Jäger,
        Pfeiffer, Kühn, Vogelsang, Oberhuber, Degenhardt, Müller-Lüdenscheidt, Achterberg, Eichhorn, Brandstätter, Yıldız,
        Kowalewski, Petersen, von Wedel, Hünerbein, Rautenberg, Dörfler, Teichmann, Ullrich, Schnabel, Wüst, Bäumer, zu Solms,
        Schmidtbauer, Hinrichsen, Ostendorf, Meyer-Stolte, Freitag, Löwenthal, Gäbler, Nowotny"""),
    "fr_FR": ("""Gaël, Jean-Baptiste, Aurélien, Thibault, Stéphane, Loïc, Cyrille, Grégoire, Mamadou, Youssef, Guillaume, Fabrice,
        Rémi, Anthelme, Hyacinthe, Yannick, Sylvain, Baptiste, Évariste, Pierre-Yves, Nicolas, Théo""",
        """Maëlys, Clémence, Bérénice, Marie-Claude, Élodie, Fatoumata, Ségolène, Noëlle, Mathilde, Aïcha, Delphine, Ghislaine,
        Capucine, Hélène, Solène, Apolline, Françoise, Yvette, Aliénor, Anne-Sophie, Lætitia, Josiane""",
        """Lefebvre, Garnier, Beaumont, Chevalier, Dubreuil, de La Fontaine, Bénard, Traoré, Guérin, Marchand, Lemaître, Rousseau,
        Le Goff, Kervella, d'Estaing, Benali, Perrin, Vasseur, Gauthier-Villars, Hébert, Delacourt, Mbaye, Tessier, Poulain,
        Charpentier, Jacquemin, Lacombe, N'Diaye, Ollivier, Pons, Quentin, Roux-Dufort, Schneider, Thévenot, Ulrich, Vidal,
        Weber, Ybert, Zidane, du Plessis, Bourgeois, Chaumette"""),
    "es_ES": ("""Gonzalo, Íñigo, Ramón, Joaquín, Andrés, Iker, Jordi, Santiago, Raúl, Ezequiel, Unai, Xoán, Fermín, Julián, Óscar,
        Leandro, Juan Carlos, Anselmo, Rubén, Tomás, Bernabé, Eusebio""",
        """Lucía, Inmaculada, Nuria, Begoña, Itziar, María José, Montserrat, Águeda, Rocío, Leire, Uxía, Sofía, Yolanda, Remedios,
        Purificación, Candela, Jimena, Ainhoa, Encarnación, Noelia, Eulalia, Macarena""",
        """García Peña, Fernández, Muñoz, Ibáñez, Gómez Llorente, Núñez, Echeverría, Zubizarreta, Castaño, de la Cruz, Rodríguez,
        Sáez de Ibarra, Villanueva, Cañizares, Domínguez, Etxeberria, Puigdomènech, Rius, Vallejo, Ochoa, Quiroga, Ordóñez,
        Barrientos, Carreño, del Olmo, Figueroa, Gallardo, Herranz, Jurado, Lorca, Montoya, Navarro, Oriol, Paredes, Quintanilla,
        Revuelta, Sepúlveda, Trujillo, Urrutia, Vázquez, Yáñez, Zamorano"""),
    "it_IT": ("""Gianluca, Niccolò, Alessandro, Ettore, Pierluigi, Calogero, Fabrizio, Umberto, Cosimo, Tiziano, Raffaele, Salvatore,
        Gennaro, Leonardo, Ermenegildo, Davide, Edoardo, Giosuè, Sandro, Mattia, Gian Paolo, Loris""",
        """Chiara, Federica, Ludovica, Mariangela, Assunta, Rosalba, Ginevra, Eleonora, Concetta, Beatrice, Ornella, Fiorella,
        Giuseppina, Ilaria, Annunziata, Serena, Michela, Anna Maria, Domitilla, Desirée, Noemi, Graziella""",
        """Esposito, Bianchi, Colombo, De Santis, Dell'Acqua, Caruso, Ferraro, Lo Presti, D'Angelo, Quattrocchi, Pellegrini,
        Mancini, Zanetti, Brambilla, Castiglione, Di Stefano, Fumagalli, Guerrieri, Imbriani, Locatelli, Marchetti, Nocera,
        Orlandi, Pasquini, Rinaldi, Scognamiglio, Tagliaferri, Ubaldini, Vitale, Zuccarello, La Rocca, Della Valle, Cuccurullo,
        Bonfiglio, Abbatantuono, Tonelli, Cappelletti, Schillaci, Mezzasalma, Pozzi, Sartori, Testa"""),
    "nl_NL": ("""Joost, Bartholomeus, Sjoerd, Wouter, Pim, Gijs, Ruud, Maarten, Thijs, Cornelis, Jeroen, Hidde, Floris, Mehmet,
        Koen, Teun, Douwe, Jan-Willem, Rachid, Stijn, Wiebe, Casper""",
        """Femke, Saskia, Marloes, Anneke, Geertruida, Nienke, Fleur, Lotte, Hanneke, Jildou, Sanne, Mieke, Roos, Willemijn,
        Fatima, Tineke, Ineke, Marijke, Liesbeth, Annemiek, Renée, Zeynep""",
        """van den Berg, de Vries, Jansen, Bakker, van der Meulen, Hoekstra, Dijkstra, Ten Brink, 't Hart, van 't Hof, Kuipers,
        Veenstra, de Graaf, El Amrani, Yılmaz, Zijlstra, Oosterhuis, van Leeuwen, Schouten, Verhoeven, Willemse, Aalbers,
        Boersma, Coenen, van Dijk-Postma, Elzinga, Feenstra, Groeneveld, Haverkamp, IJzerman, Jongsma, Koolhaas, Lammers,
        Mulder, Nijhuis, op den Kamp, Prins, Roelofs, Slagter, Terpstra, Uittenbogaard, Vreeswijk"""),
    "pl_PL": ("""Grzegorz, Łukasz, Michał, Stanisław, Zbigniew, Przemysław, Wojciech, Krzysztof, Bartłomiej, Mieczysław, Radosław,
        Sławomir, Jędrzej, Ignacy, Kazimierz, Tadeusz, Witold, Bożydar, Paweł, Marcin, Cezary, Dariusz""",
        """Agnieszka, Małgorzata, Żaneta, Grażyna, Bożena, Wiesława, Katarzyna, Jadwiga, Halina, Danuta, Elżbieta, Kinga, Iwona,
        Łucja, Dorota, Stanisława, Urszula, Zuzanna, Aniela, Hanna, Kornelia, Róża""",
        """Wiśniewski, Wójcik, Kamiński, Lewandowski, Dąbrowski, Szymański, Woźniak, Kozłowski, Jankowski, Mazur, Krawczyk,
        Piotrowski, Grabowski, Nowakowski, Pawłowski, Michalski, Król, Wieczorek, Jabłoński, Wróbel, Majewski, Olszewski,
        Stępień, Malinowski, Jaworski, Witkowski, Walczak, Sikora, Rutkowski, Brzęczyszczykiewicz, Szczepański, Baran, Zając,
        Gołębiewski, Ćwikliński, Żuraw, Łoś, Kossak-Szczucki, Ślązak, Bąk, Górecki, Zawadzki"""),
    "pt_BR": ("""João Pedro, Thiago, Caetano, Rogério, Antônio, Luís Otávio, Wellington, Cauã, Matheus, Ubiratan, Severino, Jandir,
        Vinícius, Raimundo, Estêvão, Heitor, Gilberto, Washington, Zeca, Fábio, Enzo, Marçal""",
        """Conceição, Luíza, Iracema, Thaís, Ana Beatriz, Fernanda, Jussara, Valquíria, Tainá, Márcia, Yasmim, Letícia, Rosângela,
        Aparecida, Ivone, Eduarda, Cecília, Marlene, Bárbara, Janaína, Natália, Flávia""",
        """da Silva, dos Santos, Araújo, Figueiredo, Cavalcanti, Gonçalves, Magalhães, de Albuquerque, Nogueira, Teixeira, Brandão,
        Guimarães, Assunção, Bittencourt, Camargo, Drummond, Esteves, Falcão, Garrastazu, Hashimoto, Jardim, Kubitschek, Lacerda,
        Mendonça, Nakayama, Oliveira Paz, Peixoto, Queiroz, Rezende, Salgado, Tavares, Uchôa, Vasconcelos, Wanderley, Xavier,
        Yoshida, Zanella, da Conceição, e Souza, Montenegro, Pires, Sampaio"""),
}
# streets with %n for the number; towns with the head of their postcode; companies; hosts
PLACES = {
    "en_US": ("""%n Sycamore Ridge Road|%n W 47th Street, Apt %u|%n Old Mill Pike|%n Peachtree Hollow Ct|%n N Cedar Bluff Ave|%n Magnolia Blvd,
        Suite %n|%n County Road 12|%n Bayshore Dr, Unit %u|%n SE Hawthorne Blvd|%n Willow Creek Ln|%n Prairie View Terrace|P.O. Box %n""",
        """Boise, ID 83|Tulsa, OK 74|Dayton, OH 45|Fresno, CA 93|Duluth, MN 55|Macon, GA 31|Albany, NY 12|Reno, NV 89|Yuma, AZ 85""",
        "Ridgeline Freight LLC|Clearwater Dental Group|Summit Bay Credit Union|Bright Harbor Software, Inc.|Tall Pine Insurance",
        "ridgelinefreight.com|brightharbor.io|summitbay.org|tallpine.net|gmail.com|mail.clearwater-dental.com|outlook.com"),
    "en_CA": ("""%n Maple Grove Crescent|%n rue Saint-Urbain, app. %n|%n Portage Ave|%n Jasper Avenue NW|%n, chemin du Lac|Unit %n, %n Kingsway|
        %n Quinpool Rd|%n Lakeshore Road E|%n, rue des Érables|%n Concession 7|%n Dundas St W, Suite %n""",
        "Winnipeg, MB R|Edmonton, AB T|Montréal QC H|Halifax NS B|Toronto ON M|Saskatoon, SK S|Kelowna, BC V",
        "Boreal Shipping Ltd.|Northern Lights Clinic|Grand Portage Outfitters|Coopérative du Fleuve|Red River Analytics",
        "borealshipping.ca|fleuve.qc.ca|redriver.ca|northernlights-clinic.ca|videotron.ca|gmail.com"),
    "en_GB": ("""%n Larkspur Close|Flat %n, %n Gladstone Terrace|%n The Crescent|%n Mill Lane|%nb Upper Bridge Street|%n Wharf Road|%n Beech Drive|
        %n Saltmarsh Way|%n Station Approach|%n Chapel Row|%n Kirkgate|Apartment %n, %n Dock Street""",
        "Leeds LS|Cardiff CF|Norwich NR|Inverness IV|Belfast BT|Exeter EX|York YO|Hull HU|Stockport SK",
        "Pennine Water Ltd|Harbour & Vale LLP|Moorland Surgery|Copperfield Trading plc|Tidewell Housing Association",
        "penninewater.co.uk|harbourvale.co.uk|tidewell.org.uk|moorlandsurgery.nhs.uk|btinternet.com|copperfield.uk"),
    "en_AU": ("""%n Banksia Parade|Unit %n/%n Wattlebird Street|%n Esplanade|%n Kangaroo Point Road|%n Jacaranda Crescent|%n Old Coach Rd|
        %n/%n Bunya Court|%n Stockyard Lane|Lot %n Gum Flat Road|%n Federation Drive|%n Coral Sea Ave""",
        "Ballarat VIC 3|Cairns QLD 4|Bunbury WA 6|Launceston TAS 7|Dubbo NSW 2|Whyalla SA 5|Darwin NT 0",
        "Redgum Logistics Pty Ltd|Coastline Physio|Southern Cross Sheds|Billabong Data Co|Outback Air Charter",
        "redgum.com.au|coastlinephysio.com.au|billabongdata.au|bigpond.net.au|outbackair.com.au"),
    "en_IN": ("""Flat %n, Lotus Enclave, %nth Main Road|No. %n, 3rd Cross, Jayanagar|H.No. %n/%n, Sector 14|%n, Linking Road|B-%n, Vasant Kunj|
        Plot %n, Banjara Hills Road No. 2|%n/A Ballygunge Place|Door No. %n, Anna Salai|%n, MG Road, 2nd Floor|C-%n Shanti Apartments""",
        "Bengaluru 56|Chennai 60|Pune 41|Kolkata 70|Hyderabad 50|New Delhi 11|Mumbai 40|Kochi 68|Jaipur 30",
        "Sahyadri Textiles Pvt. Ltd.|Monsoon Systems|Nilgiri Hospitals|Konark Motors|Deccan Payments Private Limited",
        "monsoonsystems.in|nilgirihospitals.co.in|deccanpay.in|rediffmail.com|konarkmotors.com|gmail.com"),
    "de_DE": ("""Lindenallee %n|Am Alten Markt %na|Kastanienweg %n|Goethestr. %n|Hauptstraße %n|Mühlenweg %n, 2. OG|An der Bleiche %n|
        Friedrich-Ebert-Straße %n|Schloßgasse %n|Ostwall %n b|Kirchplatz %n|Zum Birkenhain %n|Berliner Chaussee %n""",
        "Kassel 34|Bremen 28|Rostock 18|Augsburg 86|Dortmund 44|Erfurt 99|Lübeck 23|Freiburg im Breisgau 79|Münster 48",
        "Nordlicht Energie GmbH|Hanse Logistik AG|Praxis am Stadtpark|Rheinblick Software GmbH & Co. KG|Bergische Sparkasse",
        "nordlicht-energie.de|hanse-logistik.de|rheinblick.software|praxis-stadtpark.de|gmx.de|web.de|t-online.de"),
    "fr_FR": ("""%n, rue des Tilleuls|%n bis avenue de la République|%n impasse du Moulin|%n, place du Marché|%n boulevard de l'Océan|%n chemin des Vignes|
        %n ter, rue Victor-Hugo|%n quai de la Loire, bât. C|%n allée des Cerisiers|Résidence Les Pins, %n rue de Bretagne|%n cours Gambetta""",
        "Nantes 44|Lyon 69|Rennes 35|Toulouse 31|Lille 59|Dijon 21|Brest 29|Grenoble 38|Perpignan 66",
        "Atelier du Ponant SARL|Cabinet médical des Halles|Mutuelle Bleu Horizon|Transports Loire-Océan SA|Numéria SAS",
        "numeria.fr|bleuhorizon.fr|ponant-atelier.fr|orange.fr|wanadoo.fr|laposte.net|loire-ocean.com"),
    "es_ES": ("""Calle de la Luna, %n, 3.º B|Avda. de la Constitución %n|Paseo del Prado %n, bajo izq.|C/ Alcalá, %n|Plaza Mayor %n, 2.º dcha.|Ronda de Toledo %n|
        Carrer de Balmes, %n|Rúa do Vilar %n|Travesía del Pozo, %n|Camino Viejo %n|C/ Cervantes %n, esc. A, 4.º 1.ª""",
        "Madrid 28|Sevilla 41|Zaragoza 50|Bilbao 48|Málaga 29|Murcia 30|Girona 17|Oviedo 33|Lugo 27",
        "Aceites del Sur S.L.|Clínica Miramar|Aseguradora Levante S.A.|Cantábrico Digital S.L.U.|Gestoría Puerta Nueva",
        "cantabricodigital.es|clinicamiramar.es|levanteseguros.com|telefonica.net|hotmail.es|puertanueva.es"),
    "it_IT": ("""Via dei Mille %n|Corso Vittorio Emanuele II, %n/B|Piazza del Duomo %n|Viale della Libertà %n int. 4|Vicolo Stretto %n|Via Roma, %n|
        Largo Augusto %n|Strada Statale 16 km %n|Via G. Verdi %n/A|Contrada Fontanelle %n|Calle Larga %n""",
        "Bologna 40|Torino 10|Bari 70|Lecce 73|Bergamo 24|Cagliari 09|Perugia 06|Genova 16|Trieste 34",
        "Officine Lariane S.r.l.|Studio Medico Arcadia|Assicurazioni Tirrene S.p.A.|Dolomiti Software S.r.l.|Cantina Poggio Alto",
        "officinelariane.it|dolomitisoftware.it|tirrene.it|libero.it|tiscali.it|pec.studioarcadia.it"),
    "nl_NL": ("""Keizersgracht %n-hs|Dorpsstraat %n|Laan van Meerdervoort %n|Oude Delft %n|Burgemeester Jansenlaan %n A|Kerkweg %n|Zeedijk %n bis|
        Plein 1944 %n|Tweede Oosterparkstraat %n-III|Havenkade %n|Het Hoge Land %n""",
        "Utrecht 35|Groningen 97|Zwolle 80|Breda 48|Leiden 23|Arnhem 68|Almere 13|Maastricht 62|'s-Hertogenbosch 52",
        "Polderwind B.V.|Huisartsenpraktijk De Linde|Zuiderzee Verzekeringen N.V.|Grachten Software B.V.|Fietsenfabriek Noord",
        "polderwind.nl|grachtensoftware.nl|zuiderzee-verzekeringen.nl|ziggo.nl|kpnmail.nl|hetnet.nl"),
    "pl_PL": ("""ul. Świętokrzyska %n/%n|al. Niepodległości %n m. 7|os. Słoneczne %n/%n|pl. Wolności %n|ul. Mickiewicza %n|ul. 3 Maja %n|ul. Piękna %na|
        ul. Żwirki i Wigury %n|al. Jerozolimskie %n lok. 3|ul. Krótka %n|Rynek Główny %n""",
        "Kraków 30-|Gdańsk 80-|Łódź 90-|Wrocław 50-|Poznań 60-|Lublin 20-|Szczecin 70-|Białystok 15-|Rzeszów 35-",
        "Bałtyk Transport sp. z o.o.|Przychodnia Zdrowie|Tatry Soft S.A.|Towarzystwo Ubezpieczeń Wisła|Mazowsze Energia",
        "baltyktransport.pl|tatrysoft.pl|tuwisla.pl|wp.pl|o2.pl|interia.pl|przychodnia-zdrowie.pl"),
    "pt_BR": ("""Rua das Acácias, %n, apto %n|Av. Paulista, %n - cj. %n|Travessa do Comércio, %n|Rua XV de Novembro, %n|Alameda Santos, %n, bloco B|
        Av. Beira-Mar, %n|Praça da Sé, %n|Rod. BR-101, km %n|Rua Augusta, %n, casa 2|Estrada do Coqueiro, s/n, lote %n""",
        "Curitiba - PR 80|Recife - PE 50|Manaus - AM 69|Belo Horizonte - MG 30|Goiânia - GO 74|Campinas - SP 13|Natal - RN 59",
        "Ipê Engenharia Ltda.|Clínica Boa Vista|Seguros Atlântico S.A.|Cerrado Tecnologia Ltda.|Cooperativa Serra Azul",
        "cerradotec.com.br|ipeengenharia.com.br|atlanticoseguros.com.br|uol.com.br|bol.com.br|terra.com.br"),
}
LOCALES = list(NAMES)
MEN = {k: words(v[0]) for k, v in NAMES.items()}
WOMEN = {k: words(v[1]) for k, v in NAMES.items()}
FAMILY = {k: words(v[2]) for k, v in NAMES.items()}
PLACES = {k: [[x.strip() for x in part.split("|")] for part in v] for k, v in PLACES.items()}
LANG = {k: k[:2] for k in LOCALES}
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
MONTHS = {k: v.split() for k, v in MONTHS.items()}

# ---------------------------------------------------------------------------------------------------------------------
# Check digits


def luhn_ok(text):
    total = 0
    for i, c in enumerate(reversed(text)):
        n = int(c) * (2 if i % 2 else 1)
        total += n - 9 if n > 9 else n
    return total % 10 == 0


def with_luhn(body):
    return next(body + d for d in DIG if luhn_ok(body + d))


def weighted(text, weights):
    return sum(int(c) * w for c, w in zip(text, weights))


def nhs_ok(t):
    return len(t) == 10 and weighted(t, range(10, 0, -1)) % 11 == 0


def tfn_ok(t):
    return len(t) == 9 and weighted(t, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def bsn_ok(t):
    return len(t) == 9 and weighted(t, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def aba_ok(t):
    return len(t) == 9 and weighted(t, (3, 7, 1) * 3) % 10 == 0


def pesel_ok(t):
    return len(t) == 11 and weighted(t, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def npi_ok(t):
    return len(t) == 10 and t[0] in "12" and luhn_ok("80840" + t)


def cpf_digit(t):
    rest = weighted(t, range(len(t) + 1, 1, -1)) * 10 % 11
    return str(rest % 10)


def cpf_ok(t):
    return len(t) == 11 and len(set(t)) > 1 and cpf_digit(t[:9]) == t[9] and cpf_digit(t[:10]) == t[10]


def dihedral(j, k):
    if j < 5:
        return (j + k) % 5 if k < 5 else (j + k - 5) % 5 + 5
    return (j - 5 - k) % 5 + 5 if k < 5 else (j - k) % 5


STEP = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def verhoeff_ok(t):
    c = 0
    for i, ch in enumerate(reversed(t)):
        n = int(ch)
        for _ in range(i % 8):
            n = STEP[n]
        c = dihedral(c, n)
    return c == 0


def tax_de_ok(t):
    if len(t) != 11 or t[0] == "0":
        return False
    counts = sorted(collections.Counter(t[:10]).values(), reverse=True)
    if counts[0] not in (2, 3) or counts[1] != 1:
        return False
    product = 10
    for c in t[:10]:
        total = (int(c) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(t[10])


def nir_ok(t):
    body = t[:13].replace("2A", "19").replace("2B", "18")
    return len(t) == 15 and 97 - int(body) % 97 == int(t[13:])


NIF = "TRWAGMYFPDXBNJZSQVHLCKE"


def nif_ok(t):
    return len(t) == 9 and NIF[int(t[:8]) % 23] == t[8]


def nie_ok(t):
    return len(t) == 9 and t[0] in "XYZ" and nif_ok(str("XYZ".index(t[0])) + t[1:])


ODD = dict(zip(DIG + UP, [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8,
                          12, 14, 16, 10, 22, 25, 24, 23]))
EVEN = dict(zip(DIG + UP, list(range(10)) + list(range(26))))


def odd_even_letter(t):
    return UP[sum(ODD[c] if i % 2 == 0 else EVEN[c] for i, c in enumerate(t)) % 26]


def fiscal_ok(t):
    return bool(re.fullmatch(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", t)) and odd_even_letter(t[:15]) == t[15]


def to_number(t):
    return "".join(str(int(c, 36)) for c in t)


def iban_ok(t):
    return int(to_number(t[4:] + t[:4])) % 97 == 1


def dea_ok(t):
    d = [int(c) for c in t[2:]]
    return len(d) == 7 and (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


VIN_VALUE = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ" + DIG, [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9] + list(range(10))))


def vin_digit(t):
    rest = sum(VIN_VALUE[c] * w for c, w in zip(t, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2))) % 11
    return "X" if rest == 10 else str(rest)


B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def b58_ok(t):
    n = 0
    for c in t:
        n = n * 58 + B58.index(c)
    raw = n.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:] and raw[0] in (0, 5)


def b58check(version, body):
    raw = bytes([version]) + body
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    n, out = int.from_bytes(raw, "big"), ""
    while n:
        n, rest = divmod(n, 58)
        out = B58[rest] + out
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + out


B32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    check = 1
    for v in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= g if top >> i & 1 else 0
    return check


HRP = [3, 3, 0, 2, 3]  # "bc", expanded


def bech32(version, body):
    bits = "".join(f"{b:08b}" for b in body)
    bits += "0" * (-len(bits) % 5)
    data = [version] + [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    check = polymod(HRP + data + [0] * 6) ^ (0x2BC830A3 if version else 1)
    return "bc1" + "".join(B32[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def bech32_ok(t):
    data = [B32.index(c) for c in t[3:]]
    return polymod(HRP + data) == (0x2BC830A3 if data[0] else 1)


def base62(n, width):
    out = ""
    while n:
        n, rest = divmod(n, 62)
        out = (DIG + UP + LOW)[rest] + out
    return out.rjust(width, "0")


def token62(body):
    return body + base62(zlib.crc32(body.encode()), 6)


def until(make, test):
    while True:
        value = make()
        if test(value):
            return value


def no_number(n):
    """Digits that no check digit of the types here accepts."""
    def clean(t):
        return not (luhn_ok(t) or nhs_ok(t) or npi_ok(t) or tfn_ok(t) or bsn_ok(t) or aba_ok(t) or pesel_ok(t) or cpf_ok(t)
                    or tax_de_ok(t) or (n == 12 and verhoeff_ok(t)) or (n == 15 and t[0] in "12" and nir_ok(t)))
    return until(lambda: one("123456789") + digits(n - 1), clean)

# ---------------------------------------------------------------------------------------------------------------------
# Values with check digits


def group(t, sizes, sep=" "):
    out, at = [], 0
    for n in sizes:
        out.append(t[at:at + n])
        at += n
    return sep.join(x for x in out + [t[at:]] if x)


CARDS = [("4", 16), ("51", 16), ("52", 16), ("53", 16), ("54", 16), ("55", 16), ("2221", 16), ("2345", 16), ("2655", 16), ("2720", 16),
         ("34", 15), ("37", 15), ("6011", 16), ("65", 16), ("644", 16), ("3528", 16), ("3567", 16), ("36", 14), ("305", 14), ("38", 14)]


def card(separated=None):
    head, n = one(CARDS)
    t = with_luhn(head + digits(n - 1 - len(head)))
    if separated is None:
        separated = chance(0.55)
    if not separated:
        return t
    return group(t, (4, 4, 4, 4) if n == 16 else (4, 6, 5), one("  -"))


def iban(country=None, spaced=None):
    c = country or one("DE FR ES IT NL PL BE AT CH GB IE PT".split())
    if c == "DE":
        b = digits(18)
    elif c == "FR":
        bank, branch, acc = digits(5), digits(5), digits(11)
        b = bank + branch + acc + f"{97 - (89 * int(bank) + 15 * int(branch) + 3 * int(acc)) % 97:02d}"
    elif c == "ES":
        bank, acc, w = digits(8), digits(10), (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
        b = bank + "".join({10: "1", 11: "0"}.get(11 - weighted(x, w) % 11, str(11 - weighted(x, w) % 11)) for x in ("00" + bank, acc)) + acc
    elif c == "IT":
        b = digits(22)
        b = odd_even_letter(b) + b
    elif c == "NL":
        b = one(["INGB", "ABNA", "RABO", "TRIO"]) + until(lambda: "0" + digits(9), lambda t: weighted(t, range(10, 0, -1)) % 11 == 0)
    elif c == "PL":
        head = digits(7)
        b = head + str(-weighted(head, (3, 9, 7, 1, 3, 9, 7)) % 10) + digits(16)
    elif c == "BE":
        b = digits(10)
        b += f"{int(b) % 97 or 97:02d}"
    elif c == "AT":
        b = digits(16)
    elif c == "CH":
        b = digits(17)
    elif c in ("GB", "IE"):
        b = one(["BARC", "LOYD", "HBUK", "MIDL"] if c == "GB" else ["AIBK", "BOFI"]) + digits(14)
    else:
        b = digits(19)
        b += f"{98 - int(b) * 100 % 97:02d}"
    t = c + f"{98 - int(to_number(b + c + '00')) % 97:02d}" + b
    return group(t, (4,) * 9) if (chance(0.55) if spaced is None else spaced) else t


def aba():
    head = one(["0" + one("123456789"), "1" + one("012"), "2" + one("123456789"), "3" + one("012")])
    return until(lambda: head + digits(7), aba_ok)


def crypto():
    body = R.randbytes(20)
    k = R.randrange(6)
    if k < 3:
        return b58check(0 if k < 2 else 5, body)
    return bech32(0, body) if k == 3 else bech32(0, R.randbytes(32)) if k == 4 else bech32(1, R.randbytes(32))


def ip():
    if chance(0.68):
        head = R.choice([10, 192, 172, R.randint(11, 99), R.randint(128, 168), R.randint(176, 191), R.randint(193, 223)])
        second = {192: 168, 172: R.randint(16, 31)}.get(head, R.randint(0, 255))
        return f"{head}.{second}.{R.randint(0, 254)}.{R.randint(2, 253)}"
    g = [f"{R.randrange(1, 65536):x}" for _ in range(8)]
    g[0] = one(["2001", "2a01", "2606", "2003", "2400", "fd12"])
    k = R.randrange(4)
    t = ":".join(g) if k == 0 else ":".join(g[:4]) + "::" + g[5] if k == 1 else ":".join(g[:2]) + "::" + ":".join(g[5:7]) if k == 2 \
        else "fe80::" + ":".join(g[4:8])
    return t.upper() if chance(0.1) else t


def mac():
    t = "%012x" % until(lambda: R.getrandbits(48), lambda n: n >> 40 not in (0, 255))
    k = R.randrange(4)
    if k == 3:
        return group(t, (4, 4, 4), ".")
    t = group(t, (2,) * 6, "-" if k == 2 else ":")
    return t.upper() if k == 0 or chance(0.3) else t


def imei():
    t = with_luhn(one(["35", "86", "01", "99"]) + digits(12))
    return group(t, (2, 6, 6), "-") if chance(0.15) else group(t, (2, 6, 6), " ") if chance(0.1) else t


def vin():
    chars = "ABCDEFGHJKLMNPRSTUVWXYZ" + DIG
    t = one("1HG 1FT 2T1 3VW 5YJ WBA WVW WDD JTD KMH SAL YV1 VF1 ZFA 4S3 1C4 2HG 3FA".split()) + some(chars, 5) + "0" \
        + one("ABCDEFGHJKLMNPRSTVWXY123456789") + one(chars) + digits(6)
    return t[:8] + vin_digit(t) + t[9:]


def geo():
    lat, lon = R.uniform(-58, 69), R.uniform(-178, 178)
    k = R.randrange(5)
    if k == 0:
        return f"{lat:.5f}, {lon:.5f}"
    if k == 1:
        return f"{lat:.6f},{lon:.6f}"
    if k == 2:
        return f"{abs(lat):.4f}° {'N' if lat > 0 else 'S'}, {abs(lon):.4f}° {'E' if lon > 0 else 'W'}"
    if k == 3:
        def dms(v, n, s):
            a = abs(v)
            return f"{int(a)}°{int(a * 60) % 60:02d}'{int(a * 3600) % 60:02d}\"{n if v > 0 else s}"
        return dms(lat, "N", "S") + " " + dms(lon, "E", "W")
    return f"{lat:.4f}, {lon:.4f}"


def b64url(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def jwt():
    alg = one(["HS256", "RS256", "ES256"])
    head = {"alg": alg, "typ": "JWT"} if chance(0.7) else {"typ": "JWT", "alg": alg, "kid": some(ALNUM, 8)}
    load = {"sub": some("0123456789abcdef", 12), "iat": R.randint(1600000000, 1760000000), "scope": one(["read", "admin", "read write"])}
    tight = (",", ":")
    return ".".join([b64url(json.dumps(head, separators=tight).encode()), b64url(json.dumps(load, separators=tight).encode()),
                     b64url(R.randbytes(256 if alg == "RS256" and chance(0.4) else 32))])


def private_key(indent=""):
    kind = one(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "DSA PRIVATE KEY"])
    head = {"RSA": b"\x30\x82\x02\x5c\x02\x01\x00", "EC ": b"\x30\x77\x02\x01\x01", "OPE": b"openssh-key-v1\0"}.get(kind[:3], b"\x30\x82\x01\x54")
    body = base64.b64encode(head + R.randbytes(R.randint(110, 420))).decode()
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    return ("\n" + indent).join([f"-----BEGIN {kind}-----"] + lines + [f"-----END {kind}-----"])


def github():
    k = R.randrange(8)
    if k == 0:
        return "github_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59)
    return one(["ghp_", "ghp_", "ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + token62(some(ALNUM, 30))


def slack():
    k = R.randrange(4)
    a, b = digits(12), digits(12)
    return [f"xoxb-{a}-{b}-{some(ALNUM, 24)}", f"xoxp-{a}-{b}-{digits(12)}-{some('0123456789abcdef', 32)}",
            f"xapp-1-A{some(UP + DIG, 10)}-{b}-{some('0123456789abcdef', 64)}", f"xoxb-{a}-{some(ALNUM, 24)}"][k]


def aws():
    return one(["AKIA", "AKIA", "ASIA"]) + some(UP + "234567", 16)


API = {
    "STRIPE_SECRET_KEY": lambda: "sk_live_" + some(ALNUM, one([24, 34])),
    "STRIPE_RESTRICTED": lambda: "rk_live_" + some(ALNUM, 24),
    "GOOGLE_MAPS_KEY": lambda: "AIza" + "Sy" + some(ALNUM + "-_", 32) + some(ALNUM, 1),
    "HF_TOKEN": lambda: "hf_" + some(string.ascii_letters, 34),
    "GITLAB_TOKEN": lambda: "glpat-" + some(ALNUM, 20),
    "OPENAI_API_KEY": lambda: one([lambda: "sk-proj-" + some(ALNUM, 48), lambda: "sk-" + some(ALNUM, 20) + "T3BlbkFJ" + some(ALNUM, 20)])(),
    "NPM_TOKEN": lambda: "npm_" + token62(some(ALNUM, 30)),
}
STEMS = """granite, falcon, tulip, orbit, copper, lantern, meadow, zephyr, pickle, thunder, nordwind, soleil, girasol, lampone, fietsbel,
    jaskolka, cajueiro, walrus, quartz, saffron, glacier, mango, piston, raccoon, umbrella, velvet, winter, sunset"""
STEMS = words(STEMS)


def password(safe=False):
    k = R.randrange(5)
    if k == 0:
        t = one(STEMS).capitalize() + digits(R.randint(2, 4)) + ("" if safe else one("!?#*"))
    elif k == 1:
        t = one(STEMS) + one(["_", "-"]) + one(STEMS) + "-" + digits(2)
    elif k == 2:
        t = one(ALNUM) + some(ALNUM + ("" if safe else "!#%^*_+=-?"), R.randint(10, 18)) + one(ALNUM)
    elif k == 3:
        t = one(STEMS).replace("o", "0").replace("a", "4" if safe else "@").replace("e", "3") + one(UP) + digits(3)
    else:
        t = one("bcdfghjklmnpqrstvwxz") + some(ALNUM, 10) + digits(1)
    return t


def passport(loc):
    def pl():
        h, body = some(UP.replace("O", "").replace("Q", ""), 2), digits(6)
        c = next(c for c in DIG if sum(int(x, 36) * w for x, w in zip(h + c + body, (7, 3, 9, 1, 7, 3, 1, 7, 3))) % 10 == 0)
        return h + c + body
    tail = "CFGHJKLMNPRTVWXYZ0123456789"
    return {"en_US": lambda: one([one("123456") + digits(8), one("ABCDEFG") + digits(8)]), "en_CA": lambda: some("ABCDEFGHJKLMNPRSTUVWXYZ", 2) + digits(6),
            "en_GB": lambda: one("1234567890") + digits(8), "en_AU": lambda: one([one("NEPM") + digits(7), "P" + one("ABCDEF") + digits(7)]),
            "en_IN": lambda: one("JKLMNPRSTUVWZ") + one("123456789") + digits(6), "de_DE": lambda: one("CFGHJK") + some(tail, 7) + one(DIG),
            "fr_FR": lambda: digits(2) + some(UP, 2) + digits(5), "es_ES": lambda: some(UP, 3) + digits(6),
            "it_IT": lambda: "Y" + one("ABC") + digits(7), "nl_NL": lambda: one("BNS") + some("CDFGHJKLMNPRSTVWXYZ", 1) + some("ABCDEFGHJKLMNPRSTUVWXYZ" + DIG, 6) + one(DIG),
            "pl_PL": pl, "pt_BR": lambda: one("FGYC") + one("ABCDEFGHJ") + digits(6)}[loc]()


# ---------------------------------------------------------------------------------------------------------------------
# A person: everything about them agrees

HOLDS = {"en_US": "US_SSN US_SSN US_ITIN", "en_CA": "CA_SIN", "en_GB": "UK_NINO UK_NHS", "en_AU": "AU_TFN", "en_IN": "IN_AADHAAR IN_PAN",
         "de_DE": "DE_TAX_ID", "fr_FR": "FR_NIR", "es_ES": "ES_NIF ES_NIE", "it_IT": "IT_FISCAL_CODE", "nl_NL": "NL_BSN",
         "pl_PL": "PL_PESEL", "pt_BR": "BR_CPF"}
BELFIORE = "H501 F205 F839 L219 G273 D969 A944 D612 A662 C351 L736 L781".split()
TITLES = {"en": (["Mr", "Mr.", "Dr", "Dr.", "Prof."], ["Ms", "Mrs.", "Ms.", "Dr", "Dr.", "Miss"]),
          "de": (["Herr", "Herr Dr.", "Herrn", "Prof. Dr."], ["Frau", "Frau Dr.", "Frau Prof."]),
          "fr": (["M.", "Monsieur", "Dr", "Me"], ["Mme", "Madame", "Mlle", "la Dre"]),
          "es": (["Sr.", "D.", "don", "el Dr."], ["Sra.", "Dña.", "doña", "la Dra."]),
          "it": (["Sig.", "Dott.", "il sig.", "Avv."], ["Sig.ra", "Dott.ssa", "la sig.ra", "Avv."]),
          "nl": (["dhr.", "de heer", "Dhr", "dr."], ["mevr.", "mevrouw", "Mw.", "dr."]),
          "pl": (["pan", "Pan", "dr", "dr hab."], ["pani", "Pani", "dr", "mgr"]),
          "pt": (["Sr.", "Dr.", "o senhor", "Seu"], ["Sra.", "Dra.", "dona", "a senhora"])}


class Subject:
    def __init__(self, loc):
        self.loc, self.lang, self.woman = loc, LANG[loc], chance(0.5)
        self.given = one(WOMEN[loc] if self.woman else MEN[loc])
        self.family = one(FAMILY[loc])
        if loc == "es_ES" and chance(0.5) and " " not in self.family:
            self.family += " " + until(lambda: one(FAMILY[loc]), lambda f: " " not in f)
        if loc == "pl_PL" and self.woman:
            self.family = re.sub(r"(sk|ck|dzk)i\b", r"\1a", self.family)
            if self.family == "Górecki":
                self.family = "Górecka"
        self.birth = datetime.date(1931, 1, 1) + datetime.timedelta(days=R.randrange(29000))
        self.host = one(PLACES[loc][3])
        self.company = one(PLACES[loc][2])
        self.known = {}
        self.kind = one(HOLDS[loc].split())
        self.cap = self.family[0].upper() + self.family[1:]
        self._title = one(TITLES[self.lang][self.woman])

    def name(self):
        k = R.randrange(20)
        if k < 12:
            return S("PERSON", f"{self.given} {self.family}")
        if k < 14:
            return S("PERSON", f"{self.given} {one('ABCDEFGHJKLMNPRST')}. {self.family}")
        if k < 16:
            return S("PERSON", f"{self.given[0]}. {self.family}")
        if k < 17:
            return S("PERSON", f"{self.given} {self.family}".upper().replace("ß", "SS")) if self.lang != "fr" else S("PERSON", f"{self.given} {self.family.upper()}")
        return S("PERSON", f"{self.given} {self.family}")

    def full(self):
        return S("PERSON", f"{self.given} {self.family}")

    def last_first(self):
        return S("PERSON", f"{self.cap}, {self.given}")

    def titled(self):
        return self._title + " " + S("PERSON", self.cap if chance(0.75) else f"{self.given} {self.family}")

    def ascii(self):
        clean = [re.sub(r"[^a-z]", "", plain(x).lower()) or "x" for x in (self.given, self.family)]
        return clean[0], clean[1]

    def user(self):
        g, f = self.ascii()
        return S("USERNAME", one([g[0] + f, g[0] + f, f + g[:2] + digits(2), g + "_" + f[:5], g + digits(2) + f[0], f + "." + g[0], g + f[:1] + digits(3),
                                  f"{g[:3]}-{f[:4]}"])[:24])

    def email(self):
        g, f = self.ascii()
        host = self.host
        local = one([f"{g}.{f}", f"{g}.{f}", f"{g[0]}.{f}", f"{f}{digits(2)}", f"{g}_{f}", f"{f}.{g}", f"{g}-{f}", f"{g[0]}{f}+{one(['shop', 'news', 'job'])}", f"{f}"])
        return S("EMAIL", local + "@" + (host.upper() if chance(0.02) else host))

    def phone(self):
        d = digits
        n = one("23456789")
        area = one("204 403 416 514 604 613 780 902".split() if self.loc == "en_CA" else "212 312 415 503 617 702 737 814 901 916 954".split())
        ex = n + one("023456789") + d(1)
        nanp = [f"({area}) {ex}-{d(4)}", f"{area}-{ex}-{d(4)}", f"+1 {area} {ex} {d(4)}", f"{area}.{ex}.{d(4)}", f"+1{area}{ex}{d(4)}",
                f"1-{area}-{ex}-{d(4)}"]
        w = one("123456789")
        return S("PHONE", one({
            "en_US": nanp, "en_CA": nanp,
            "en_GB": [f"07{w}{d(2)} {d(6)}", f"+44 7{w}{d(2)} {d(6)}", f"020 7{d(3)} {d(4)}", f"0161 {n}{d(2)} {d(4)}", f"+44 (0)1{one('2345')}{d(2)} {n}{d(5)}", f"(01{one('2345')}{d(2)}) {n}{d(5)}"],
            "en_AU": [f"04{d(2)} {d(3)} {d(3)}", f"+61 4{d(2)} {d(3)} {d(3)}", f"(0{one('2378')}) {n}{d(3)} {d(4)}", f"04{d(8)}", f"+61 {one('2378')} {n}{d(3)} {d(4)}"],
            "en_IN": [f"+91 {one('6789')}{d(4)} {d(5)}", f"+91-{one('6789')}{d(9)}", f"0{one(['22', '80', '44', '11'])}-{n}{d(3)} {d(4)}", f"{one('789')}{d(4)} {d(5)}"],
            "de_DE": [f"0{one(['151', '160', '172', '176'])} {w}{d(7)}", f"+49 {one(['151', '171', '30', '89'])} {w}{d(6)}", f"0{one(['561', '421', '381'])}/{w}{d(5)}", f"+49 (0){one(['40', '221'])} {w}{d(2)} {d(2)} {d(2)}",
                      f"0{one(['30', '40'])} {w}{d(3)}-{d(2)}"],
            "fr_FR": [f"0{one('123456')} {d(2)} {d(2)} {d(2)} {d(2)}", f"+33 {one('67')} {d(2)} {d(2)} {d(2)} {d(2)}", f"0{one('67')}.{d(2)}.{d(2)}.{d(2)}.{d(2)}", f"+33 (0){one('1245')} {d(2)} {d(2)} {d(2)} {d(2)}"],
            "es_ES": [f"+34 {one(['6' + d(1), '71', '72'])}{d(1)} {d(3)} {d(3)}", f"{one(['6' + d(1), '74'])}{d(1)} {d(2)} {d(2)} {d(2)}", f"9{one('1345')}{d(1)} {d(3)} {d(3)}", f"+34 9{one('1345')}{d(1)} {d(2)} {d(2)} {d(2)}", f"0034 6{d(2)} {d(3)} {d(3)}"],
            "it_IT": [f"+39 3{one('234')}{d(1)} {d(3)} {d(4)}", f"3{one('234')}{d(1)} {d(7)}", f"0{one(['51', '11', '2', '6'])} {n}{d(6)}", f"+39 0{one(['51', '11'])} {n}{d(2)} {d(4)}", f"0{one(['51', '80'])}/{n}{d(5)}"],
            "nl_NL": [f"06-{w}{d(7)}", f"+31 6 {w}{d(3)} {d(4)}", f"0{one(['30', '50', '20'])} {w}{d(2)} {d(4)}", f"0{one(['30', '50', '71'])}-{w}{d(6)}", f"+31 (0)6 {w}{d(7)}", f"06 {w}{d(1)} {d(2)} {d(2)} {d(2)}"],
            "pl_PL": [f"+48 {one('5678')}{d(2)} {d(3)} {d(3)}", f"{one('5678')}{d(2)}-{d(3)}-{d(3)}", f"({one(['12', '22', '58'])}) {n}{d(2)} {d(2)} {d(2)}", f"+48 {one(['12', '22'])} {n}{d(2)} {d(2)} {d(2)}", f"{one('567')}{d(2)} {d(3)} {d(3)}"],
            "pt_BR": [f"({one(['11', '21', '41', '81'])}) 9{w}{d(3)}-{d(4)}", f"+55 {one(['11', '31', '85'])} 9{w}{d(3)}-{d(4)}", f"({one(['11', '51', '92'])}) {one('2345')}{d(3)}-{d(4)}", f"{one(['11', '21'])} 9{w}{d(3)} {d(4)}"],
        }[self.loc]))

    def kept(self, key, make):
        """One value for the whole document: a person has one address and one number of each kind."""
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    def address(self):
        return self.kept("address", self.new_address)

    def post_city(self):
        """(postcode, town, both in the order of the country)"""
        return self.kept("town", self.new_post_city)

    def mrn(self):
        return self.kept("mrn", lambda: S("MRN", one(MRN_FORMS)()))

    def new_address(self):
        t = " ".join(one(PLACES[self.loc][0]).split())
        t = re.sub("%n", lambda m: str(R.randint(2, 240)), t)
        return S("ADDRESS", t.replace("%u", one(["2A", "14", "3C", "7"])))

    def new_post_city(self):
        town, head = " ".join(one(PLACES[self.loc][1]).split()).rsplit(" ", 1)
        a, u = "ABCEGHJKLMNPRSTVWXYZ", "ABDEFGHJLNPQRSTUWXYZ"
        code = {"en_US": lambda: head + digits(3) + ("-" + digits(4) if chance(0.15) else ""),
                "en_CA": lambda: head + digits(1) + one(a) + (" " if chance(0.9) else "") + digits(1) + one(a) + digits(1),
                "en_GB": lambda: head + str(R.randint(1, 29)) + " " + digits(1) + some(u, 2), "en_AU": lambda: head + digits(3),
                "en_IN": lambda: head + (digits(1) + " " + digits(3) if chance(0.3) else digits(4)),
                "nl_NL": lambda: head + digits(2) + (" " if chance(0.8) else "") + some("ABCDEGHJKLMNPRTVWXZ", 2),
                "pl_PL": lambda: head + digits(3), "pt_BR": lambda: head + digits(3) + "-" + digits(3)}.get(self.loc, lambda: head + digits(3))()
        code = S("POSTCODE", code)
        if self.loc in ("en_US", "en_CA", "en_AU"):
            return code, town, f"{town} {code}"
        if self.loc in ("en_GB", "en_IN", "pt_BR"):
            return code, town, f"{town}{one([' ', ', ', ' - '])}{code}"
        return code, town, f"{code} {town}"

    def place(self):
        return self.address() + one([", ", ", ", "\n"][:2]) + self.post_city()[2]

    def dob(self, machine=False):
        return S("DOB", self.date(self.birth, machine))

    def date(self, d, machine=False):
        m, lang = MONTHS[self.lang][d.month - 1], self.lang
        if machine or chance(0.2):
            return d.isoformat()
        y2, dd, mm = d.year, f"{d.day:02d}", f"{d.month:02d}"
        numeric = {"en_US": f"{mm}/{dd}/{y2}", "en_CA": f"{y2}/{mm}/{dd}", "de_DE": f"{dd}.{mm}.{y2}", "pl_PL": f"{dd}.{mm}.{y2}", "nl_NL": f"{dd}-{mm}-{y2}"}.get(self.loc, f"{dd}/{mm}/{y2}")
        if chance(0.5):
            return numeric
        return {"en": one([f"{d.day} {m} {y2}", f"{m} {d.day}, {y2}", f"{d.day}-{m[:3]}-{y2}"]), "de": f"{d.day}. {m} {y2}", "fr": f"{'1er' if d.day == 1 else d.day} {m} {y2}",
                "es": f"{d.day} de {m} de {y2}", "pt": f"{d.day} de {m} de {y2}"}.get(lang, f"{d.day} {m} {y2}")

    def number(self, labelled=True, raw=False):
        """The national number, formatted; without a label only in its unmistakable form."""
        k = self.kind
        spaced = not raw and (not labelled or chance(0.55))
        make = {"US_SSN": lambda: until(lambda: f"{R.randint(1, 899):03d}{R.randint(1, 99):02d}{R.randint(1, 9999):04d}", lambda t: t[:3] != "666"),
                "US_ITIN": lambda: f"9{digits(2)}{one([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)])}{digits(4)}",
                "CA_SIN": lambda: with_luhn(one("1234567") + digits(7)), "UK_NHS": lambda: until(lambda: one("4679") + digits(9), nhs_ok),
                "UK_NINO": lambda: until(lambda: some("ABCEGHJKLMNPRSTWXYZ", 2), lambda t: t not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")) + digits(6) + one("ABCD"),
                "AU_TFN": lambda: until(lambda: one("123456789") + digits(8), tfn_ok), "IN_AADHAAR": lambda: until(lambda: one("23456789") + digits(11), verhoeff_ok),
                "IN_PAN": lambda: some(UP, 3) + "P" + plain(self.family)[0].upper() + digits(4) + one(UP), "DE_TAX_ID": lambda: self.tax(),
                "FR_NIR": lambda: self.nir(), "ES_NIF": lambda: (lambda b: b + NIF[int(b) % 23])(digits(8)),
                "ES_NIE": lambda: (lambda x, b: x + b + NIF[int(str("XYZ".index(x)) + b) % 23])(one("XYZ"), digits(7)),
                "IT_FISCAL_CODE": lambda: self.fiscal(), "NL_BSN": lambda: until(lambda: one("123456789") + digits(8), bsn_ok), "PL_PESEL": lambda: self.pesel(),
                "BR_CPF": lambda: (lambda t: t + cpf_digit(t) + cpf_digit(t + cpf_digit(t)))(until(lambda: digits(9), lambda t: len(set(t)) > 2))}
        t = self.kept(k, make[k])
        if spaced:
            t = {"US_SSN": lambda: group(t, (3, 2, 4), "-"), "US_ITIN": lambda: group(t, (3, 2, 4), "-"), "CA_SIN": lambda: group(t, (3, 3, 3), one(" -") if labelled else "-"),
                 "UK_NHS": lambda: group(t, (3, 3, 4), " "), "UK_NINO": lambda: group(t, (2, 2, 2, 2, 1)), "AU_TFN": lambda: group(t, (3, 3, 3)), "IN_AADHAAR": lambda: group(t, (4, 4, 4), one(" -")),
                 "DE_TAX_ID": lambda: group(t, (2, 3, 3, 3)), "FR_NIR": lambda: group(t, (1, 2, 2, 2, 3, 3, 2)), "ES_NIF": lambda: t[:8] + "-" + t[8], "ES_NIE": lambda: f"{t[0]}-{t[1:8]}-{t[8]}",
                 "BR_CPF": lambda: f"{t[:3]}.{t[3:6]}.{t[6:9]}-{t[9:]}", "NL_BSN": lambda: group(t, (4, 2, 3), "."), "IT_FISCAL_CODE": lambda: group(t, (3, 3, 5, 5)) if chance(0.3) else t}.get(k, lambda: t)()
        return S(k, t)

    def tax(self):
        def make():
            order = R.sample(DIG, 9)
            order.insert(R.randrange(10), one(order))
            body = "".join(order)
            product = 10
            for c in body:
                product = ((int(c) + product) % 10 or 10) * 2 % 11
            return body + str((11 - product) % 10)
        return until(make, tax_de_ok)

    def nir(self):
        dep = one(["2A", "2B"]) if chance(0.06) else f"{R.choice([*range(1, 20), *range(21, 96)]):02d}"
        body = f"{2 if self.woman else 1}{self.birth.year % 100:02d}{self.birth.month:02d}{dep}{R.randint(1, 499):03d}{R.randint(1, 499):03d}"
        return body + f"{97 - int(body.replace('2A', '19').replace('2B', '18')) % 97:02d}"

    def fiscal(self):
        def split(t):
            t = re.sub("[^A-Z]", "", plain(t).upper())
            return "".join(c for c in t if c not in "AEIOU"), "".join(c for c in t if c in "AEIOU")
        (fc, fv), (gc, gv) = split(self.family), split(self.given)
        if len(gc) > 3:
            gc = gc[0] + gc[2] + gc[3]
        day = self.birth.day + (40 if self.woman else 0)
        t = (fc + fv + "XXX")[:3] + (gc + gv + "XXX")[:3] + f"{self.birth.year % 100:02d}{'ABCDEHLMPRST'[self.birth.month - 1]}{day:02d}{one(BELFIORE)}"
        return t + odd_even_letter(t)

    def pesel(self):
        b = self.birth
        body = f"{b.year % 100:02d}{b.month + (20 if b.year > 1999 else 0):02d}{b.day:02d}{digits(3)}{one('02468' if self.woman else '13579')}"
        return next(body + c for c in DIG if pesel_ok(body + c))

    def dea(self):
        t = one("ABFGM") + plain(self.family)[0].upper() + digits(6)
        return S("DEA", next(t + c for c in DIG if dea_ok(t + c)))


MRN_FORMS = [lambda: "0" + no_number(7), lambda: no_number(8), lambda: f"{one('HKTUZ')}{digits(7)}", lambda: f"MR-{digits(6)}", lambda: f"{digits(2)}-{digits(2)}-{digits(2)}",
             lambda: f"P{R.randint(2009, 2025)}-{digits(5)}", lambda: no_number(7)]


def npi():
    return S("US_NPI", until(lambda: one("12") + digits(9), npi_ok))

# ---------------------------------------------------------------------------------------------------------------------
# What looks like personal data and is not

ORGS = {"": """Goldman Sachs|Johns Hopkins|St. Louis|Paris|JPMorgan Chase|Procter & Gamble|Mount Sinai|Berkeley Lab|Lake Victoria|Morgan Stanley|Baker Hughes|San Antonio|
        Santa Clara|Fort Worth|Wells Fargo|Carnegie Mellon|Georgia Tech|Florence|Sydney|Lloyds Bank|King's College London|Madison Square Garden|Mercedes-Benz|Eli Lilly""",
        "en": "Harvey Norman|Marks & Spencer|St. John's|Duke University|Stanley Hospital|Jackson County|Prince George|Alice Springs|Port Elizabeth|Tim Hortons|Tata Steel|Thomas Cook",
        "de": "Robert-Koch-Institut|Max-Planck-Gesellschaft|Konrad-Adenauer-Stiftung|Carl Zeiss AG|Robert Bosch GmbH|Siemens|Sankt Augustin|Ludwigshafen|Hugo Boss",
        "fr": "Institut Pasteur|Louis Vuitton|Saint-Étienne|Fondation Abbé-Pierre|Aéroport Charles-de-Gaulle|Galeries Lafayette|Leroy Merlin|Yves Rocher|Saint-Denis",
        "es": "Hospital Gregorio Marañón|San Sebastián|Santiago de Compostela|Universidad Carlos III|Adolfo Domínguez|Santa Cruz de Tenerife|Fundación Jiménez Díaz",
        "it": "Ospedale San Raffaele|Santa Maria Novella|Giorgio Armani|San Marino|Fondazione Adriano Olivetti|Policlinico Gemelli|Banca Mediolanum",
        "nl": "Erasmus MC|Van Gogh Museum|Albert Heijn|Antoni van Leeuwenhoek|Anne Frank Huis|Sint-Niklaas|Johan Cruijff ArenA|Philips",
        "pl": "Uniwersytet Mikołaja Kopernika|Lotnisko Chopina|Instytut Adama Mickiewicza|Akademia Leona Koźmińskiego|Instytut Pileckiego|Zielona Góra",
        "pt": "Fundação Oswaldo Cruz|São Paulo|Magazine Luiza|Santa Catarina|Instituto Ayrton Senna|Hospital Albert Einstein|São José dos Campos|Casas Bahia"}
ORGS = {k: [" ".join(x.split()) for x in v.split("|")] for k, v in ORGS.items()}
EPONYMS = """Gaussian|Young's modulus|Monte Carlo|Bayesian|Fourier transform|Markov chain|Kalman filter|Cohen's kappa|Student's t-test|Bonferroni correction|Dirichlet|Nash equilibrium|
    Adam optimizer|Parkinson's disease|Alzheimer|Cronbach's alpha|Taylor series|Newton-Raphson|Jordan form|Hodgkin lymphoma|Levenshtein distance|Wilson score|Turing machine|Moore's law"""
EPONYMS = [" ".join(x.split()) for x in EPONYMS.split("|")]
STARTS = {
    "en": "Mark|the parcels as received.;Will|this work on Windows?;Grace|periods end after ten days.;Bill|of materials is attached.;Frank|answers help us most.;Rose|prices fell again.;Chase|the supplier for a reply.;Faith|in the numbers is low.;"
          "Hunter|gatherers walked far.;Baker|ovens need a permit.;Cook|for ten minutes, then cool.;Rich|text is stripped on import.;Drew|a blank on that one.;Page|four is missing.;Sky|conditions were clear.;Carter|brakes need a check.;Summer|hours apply.;"
          "Stone|floors are cold.;Green|builds are promoted.;Price|lists change monthly.;Long|queues are cut off.;Young|trees need water.",
    "de": "Sommer|wie Winter gilt derselbe Tarif.;Wolf|und Luchs stehen unter Schutz.;Jäger|brauchen einen Schein.;Kaiser|und Könige regierten hier.;Berg|und Tal sind verschneit.;Müller|mahlen Getreide.;Vogel|und Fisch sind Haustiere.;Lange|Wartezeiten sind üblich.;"
          "Koch|gesucht, Vollzeit.;Schwarz|ist die Standardfarbe.;Klein|geschriebene Wörter werden ignoriert.;Neumann|Architektur heißt der Abschnitt 3.",
    "fr": "Rose|des vents et boussole sont fournies.;Pierre|et bois dominent la façade.;Blanche|ou noire, la housse est en coton.;Marine|et gris sont en stock.;Olive|et romarin parfument le plat.;Petit|déjeuner compris.;Boucher|les trous avant peinture.;Marchand|de journaux fermé.;"
          "Legrand|est la marque des prises.",
    "es": "Rosa|y azul son los colores.;Pilar|de carga revisado.;Mercedes|es la marca del furgón.;Nieves|en cotas altas.;Dolores|de cabeza son frecuentes.;Delgado|pero firme, el cartón aguanta.;Ángel|de la guarda es una obra.;Consuelo|no hubo, perdimos.;Blanco|y negro, sin color.;Campos|obligatorios.",
    "it": "Rosa|antico e beige.;Bianchi|e neri i tasti.;Viola|e violino in sconto.;Marina|militare e porto.;Vittoria|in trasferta.;Ferro|e vetro si riciclano.;Rossi|e verdi i semafori.;Fiore|e foglia secca.;Gallo|e gallina al mercato.",
    "nl": "Roos|en tulp bloeien.;Bakker|gezocht voor zaterdag.;Mulder|of molenaar is hetzelfde.;Visser|en boer klagen.;Groot|onderhoud volgt.;Bos|en hei zijn droog.;Winter|banden verplicht.;Vos|gezien bij de stal.;Kok|gevraagd.",
    "pl": "Zając|i lis to zwierzęta leśne.;Mazur|na fortepian trwa trzy minuty.;Król|zbija pionka na e5.;Wróbel|siedzi na dachu.;Baran|jest znakiem zodiaku.;Róża|wiatrów na mapie.;Zima|była łagodna.;Kowal|kuje podkowy.;Sikora|modra zimuje tutaj.",
    "pt": "Rosa|e branco são as cores.;Pinheiro|e eucalipto cobrem a serra.;Carvalho|maciço, sem nós.;Vitória|fora de casa.;Graça|e leveza definem o prato.;Leão|marinho avistado.;Ramos|secos na calçada.;Coelho|assado para quatro.;Pereira|e macieira em flor.",
}
STARTS = {k: [x.split("|") for x in v.split(";")] for k, v in STARTS.items()}
PLACEHOLDERS = ["xxx-xx-xxxx", "<your-token>", "user@<host>", "AKIA" + "X" * 16, "${PASSWORD}", "changeme", "***-**-****", "<API_KEY>", "{{ secret }}", "XXXX-XXXX-XXXX-XXXX", "$DB_PASS",
                "[REDACTED]", "sk_live_...", "%(password)s", "ghp_xxxxxxxxxxxx", "**********", "<first.last>@<company>", "DD/MM/YYYY", "__.__.____", "YOUR_KEY_HERE", "${{ secrets.TOKEN }}", "000-00-0000"]
CODE_SECRETS = ["password = getpass.getpass()", "token: str", "password: Option<String>", "secret = os.environ[\"APP_SECRET\"]", "if password is None:", "def check_password(user, password):", "passwd = input(\"Password: \")",
                "const token = await getToken()", "password=args.password", "apiKey: process.env.API_KEY", "let password = rpassword::prompt_password(\"? \")?;", "api_key = config.get(\"api_key\")", "password_hash = hash(password)",
                "private String password;", "token = secrets.token_hex(32)", "assert password != \"\"", "PASSWORD_MIN_LENGTH = 12", "tokenizer = load_tokenizer(path)", "self.email = email", "user_id: int = 0", "max_tokens=4096"]
FILES = ["/usr/lib/python3/dist-packages/wheel", "/var/log/nginx/error.log", "src/net/tls/handshake.rs", "C:\\Program Files\\Common\\driver.sys", "/etc/ssl/openssl.cnf", "./dist/app.min.js", "assets/img/logo@2x.png",
         "docs/04-setup.md", "/opt/tools/bin/run", "s3://archive-2021/raw/part-00017.parquet", "tests/data/sample_03.csv", "../../shared/config.toml"]
URLS = ["https://docs.rs/serde/1.0.193/serde/", "https://example.org/a/b?page=3&sort=asc", "http://archive.org/details/maps_1888", "https://kernel.org/doc/html/v6.1/admin-guide/", "https://status.example.net/incidents/8841",
        "https://www.iso.org/standard/76170.html", "ftp://mirror.example.org/pub/", "https://github.com/rust-lang/rust/issues/48214", "https://en.wikipedia.org/wiki/Entropy"]
SCOPES = ["std::collections::HashMap", "boost::asio::io_context", "tokio::sync::mpsc", "crate::net::dial", "cv::Mat::zeros", "fe::add::be", "a::b", "core::mem::swap", "Foo::Bar::baz", "absl::StatusOr", "face::cafe::dead"]
DECORATORS = ["@dataclass", "@pytest.fixture", "@Override", "@media print", "@property", "@app.route", "@Injectable", "@functools.cache", "@Test", "@import", "@staticmethod", "@param"]
PRODUCTS = ["RTX 4090", "Ryzen 9 7950X", "Galaxy S24", "ThinkPad X1", "GB200 NVL72", "Model 3", "Boeing 737-800", "PlayStation 5", "EOS R6", "Core i7-13700K", "iPhone 15 Pro", "Windows 11", "Llama 3.1", "HB-2260", "Olympus OM-1", "Ariane 6"]
CAPS = "IMPORTANT README TODO NASDAQ UNESCO RFC2119 HTTPS BIOMARKERS COVID-19 WARNING VAT JSON NATO SUMMARY UTF-8 ISO9001 KPI GPU".split()
FORMULAS = ["C6H12O6", "H2SO4", "NaHCO3", "CH3CH2OH", "Fe2O3", "C8H10N4O2", "KMnO4", "Al2(SO4)3", "H2O2", "C10H15N"]
CSS = ["margin: 0 auto 12px;", "@media (max-width: 640px) { .nav { display: none } }", "padding: 4px 8px 4px 8px;", "font: 14px/1.5 Georgia, serif;", "grid-template-columns: 1fr 2fr;", "z-index: 2147483647;", "transform: translate(-50%, -50%);"]


def stamp(lo=2012, hi=2026):
    return datetime.datetime(lo, 1, 1) + datetime.timedelta(seconds=R.randrange((hi - lo) * 31556952))


def bad(kind):
    if kind == "card":
        t = until(lambda: one(["4", "51", "6011"]) + digits(15), lambda x: not luhn_ok(x[:16]))[:16]
        return group(t, (4, 4, 4, 4), one(" -")) if chance(0.5) else t
    if kind == "iban":
        t = iban(spaced=False)
        t = until(lambda: t[:2] + digits(2) + t[4:], lambda x: not iban_ok(x))
        return group(t, (4,) * 9) if chance(0.5) else t
    if kind == "nhs":
        return group(no_number(10), (3, 3, 4)) if chance(0.5) else no_number(10)
    t = no_number(11)
    return f"{t[:3]}.{t[3:6]}.{t[6:9]}-{t[9:]}"


DECOYS = {
    "isbn": lambda l: one(["ISBN 978-", "ISBN-13: 979-", "ISBN 978-"]) + f"{one('013')}-{digits(3)}-{digits(5)}-{one(DIG)}",
    "doi": lambda l: one(["doi:", "https://doi.org/"]) + f"10.{R.randint(1000, 9999)}/{some(LOW, 4)}.{R.randint(2001, 2025)}.{digits(5)}",
    "arxiv": lambda l: f"arXiv:{R.randint(10, 25)}{R.randint(1, 12):02d}.{digits(5)}",
    "uuid": lambda l: "%08x-%04x-4%03x-%04x-%012x" % (R.getrandbits(32), R.getrandbits(16), R.getrandbits(12), 0x8000 | R.getrandbits(14), R.getrandbits(48)),
    "git_sha": lambda l: some("0123456789abcdef", one([7, 8, 40])) if chance(0.5) else some("0123456789abcdef", 40),
    "sha256": lambda l: one(["sha256:", ""]) + some("0123456789abcdef", 64),
    "version": lambda l: one([f"v{R.randint(0, 19)}.{R.randint(0, 40)}.{R.randint(0, 30)}", f"{R.randint(0, 9)}.{R.randint(0, 40)}.{R.randint(0, 30)}-rc.{R.randint(1, 4)}", f"{R.randint(0, 9)}.{R.randint(0, 40)}.{R.randint(0, 30)}+build.{digits(3)}"]),
    "version4": lambda l: one(["version ", "build ", "driver ", "v"]) + f"{R.randint(1, 30)}.{R.randint(0, 20)}.{R.randint(0, 99)}.{R.randint(0, 250)}",
    "timestamp": lambda l: (lambda s: one([s.isoformat() + "Z", s.isoformat(" "), s.isoformat() + f".{digits(3)}+02:00", s.strftime("%Y%m%dT%H%M%SZ"), s.strftime("%H:%M:%S.") + digits(3)]))(stamp()),
    "date": lambda l: (lambda s: one([s.date().isoformat(), s.strftime("%d.%m.%Y") if l in ("de", "pl") else s.strftime("%d/%m/%Y"),
                                      f"{s.day}{'. ' if l == 'de' else ' de ' if l in ('es', 'pt') else ' '}{MONTHS[l][s.month - 1]}{' de ' if l in ('es', 'pt') else ' '}{s.year}"]))(stamp()),
    "epoch_ms": lambda l: one(["ts=", "t=", "", "epoch "]) + until(lambda: str(R.randint(1400000000000, 1790000000000)), lambda t: not luhn_ok(t)),
    "price": lambda l: f"{one('$£€')}{R.randint(1, 9)},{digits(3)}.{digits(2)}" if l == "en" else f"R$ {R.randint(1, 9)}.{digits(3)},{digits(2)}" if l == "pt" else f"{R.randint(1, 9)} {digits(3)},{digits(2)} {'zł' if l == 'pl' else '€'}" if l in ("fr", "pl") else f"{R.randint(1, 9)}.{digits(3)},{digits(2)} €",
    "big_number": lambda l: one("123456789") + digits(R.randint(0, 2)) + (lambda s: "".join(s + digits(3) for _ in range(R.randint(2, 3))))("," if l == "en" else one([".", " "])),
    "shape": lambda l: one([f"[{R.randint(1, 64)}, {one([128, 512, 1024])}, {one([768, 4096])}]", f"({R.randint(1, 64)}, {R.randint(2, 900)})", f"{R.randint(2, 9)}x{one([224, 512])}x{one([224, 512])}", f"torch.Size([{R.randint(1, 9)}, {R.randint(10, 99)}, {R.randint(10, 999)}])"]),
    "card_bad_luhn": lambda l: bad("card"), "iban_bad_sum": lambda l: bad("iban"), "nhs_bad_sum": lambda l: bad("nhs"), "cpf_bad_sum": lambda l: bad("cpf"),
    "ssn_invalid_area": lambda l: f"{one(['000', '666'])}-{digits(2)}-{digits(4)}" if chance(0.7) else f"{digits(3)}-00-{digits(4)}",
    "order_number": lambda l: one([f"#{no_number(7)}", f"ORD-{digits(6)}", f"A-{R.randint(2015, 2025)}-{digits(5)}", f"PO{no_number(8)}"]),
    "ticket": lambda l: one([f"INC{digits(7)}", f"JIRA-{R.randint(100, 9999)}", f"REQ{no_number(9)}", f"CS-{digits(5)}/{R.randint(10, 25)}"]),
    "part_number": lambda l: one([f"{some(UP, 2)}-{digits(4)}-{some(UP, 1)}{digits(2)}", f"{digits(3)}-{digits(5)}-00", f"{some(UP, 3)}{digits(5)}.{digits(1)}", f"SKU {digits(5)}-{some(UP, 2)}"]),
    "scoped_package": lambda l: one(["@types/node", "@babel/core", "@angular/router", "@vue/cli", "@nestjs/common", "@scope/pkg", "@tanstack/query"]) + one(["", f"@{R.randint(1, 20)}.{R.randint(0, 9)}.{R.randint(0, 9)}"]),
    "decorator": lambda l: one(DECORATORS), "scope_path": lambda l: one(SCOPES), "mac_broadcast": lambda l: one(["ff:ff:ff:ff:ff:ff", "FF:FF:FF:FF:FF:FF", "00:00:00:00:00:00", "ff-ff-ff-ff-ff-ff"]),
    "local_ip": lambda l: one(["127.0.0.1", "0.0.0.0", "255.255.255.0", "255.255.0.0", "localhost", "::1", "127.0.0.1:8080", "0.0.0.0/0", "255.255.255.255", "[::]:443"]),
    "placeholder": lambda l: one(PLACEHOLDERS), "org_place": lambda l: one(ORGS[""] if chance(0.35) else ORGS[l]), "eponym": lambda l: one(EPONYMS), "caps_word": lambda l: one(CAPS),
    "product": lambda l: one(PRODUCTS), "hex_colour": lambda l: "#" + some("0123456789abcdef", one([3, 6, 6, 8])), "file_path": lambda l: one(FILES), "url": lambda l: one(URLS), "secret_code": lambda l: one(CODE_SECRETS),
    "css": lambda l: one(CSS), "log_level": lambda l: one(["ERROR", "WARN", "INFO", "DEBUG", "FATAL", "TRACE"]), "formula": lambda l: one(FORMULAS),
    "number_range": lambda l: one([f"{R.randint(10, 99)}-{R.randint(100, 199)}", f"{R.randint(1000, 1999)}–{R.randint(2000, 2999)}", f"{digits(3)}..{digits(3)}", "10-20-30", f"{R.randint(100, 400)}-{R.randint(401, 900)}"]),
    "float_pair": lambda l: f"{R.random():.5f}, {R.random():.5f}", "git_remote": lambda l: one(["git@github.com:acme/widgets.git", "ssh://git@gitlab.com/tools/ci.git", "git@bitbucket.org:team/site.git"]),
    "percent": lambda l: f"{R.randint(0, 99)}{'.' if l == 'en' else ','}{digits(2)} %", "barcode": lambda l: "EAN " + until(lambda: "40" + digits(11), lambda t: not luhn_ok(t)),
}


def decoy(kind, lang):
    if kind == "sentence_word":
        word, rest = one(STARTS[lang])
        return D(kind, word) + " " + rest
    return D(kind, DECOYS[kind](lang))


TECH = """The loss went to [[d_float_pair]] after [[d_big_number]] tokens.|Install [[d_scoped_package]] and pin it.|Merged as [[d_git_sha]].|See [[d_arxiv]] and [[d_doi]].|The request id is [[d_uuid]].|Image digest [[d_sha256]] was pulled.|
Bump to [[d_version]] before Friday.|The firmware reports [[d_version4]].|It stopped at [[d_timestamp]].|The feed says [[d_epoch_ms]].|Tensors of shape [[d_shape]] do not fit.|Test card [[d_card_bad_luhn]] must be refused.|
The sample account [[d_iban_bad_sum]] fails the check.|Lot [[d_ssn_invalid_area]] is on hold.|Batch [[d_nhs_bad_sum]] was scrapped.|Reference [[d_cpf_bad_sum]] is not a valid one.|Add [[d_decorator]] above it.|Use [[d_scope_path]] instead.|
The frame went to [[d_mac_broadcast]].|It listens on [[d_local_ip]] only.|Write [[d_placeholder]] in the form.|We fitted a [[d_eponym]] model.|The note said [[d_caps_word]] in red.|Tested on a [[d_product]].|The border is [[d_hex_colour]].|
The dump is in [[d_file_path]].|More at [[d_url]].|The line reads [[d_secret_code]] and holds nothing.|The rule [[d_css]] wins.|Level [[d_log_level]] is too chatty.|Add 5 g of [[d_formula]].|Rows [[d_number_range]] are skipped.|
Clone [[d_git_remote]] first.|Scanned [[d_barcode]] twice.|Uptime was [[d_percent]].|Part [[d_part_number]] is out of stock.|They moved to [[d_org_place]] in spring.|The invoice of [[d_price]] is due.|[[d_sentence_word]]|Order [[d_order_number]] shipped on [[d_date]].|
Ticket [[d_ticket]] is closed.|[[d_isbn]] is out of print."""
TECH = [t.strip() for t in TECH.replace("\n", "").split("|")]

# ---------------------------------------------------------------------------------------------------------------------
# Words of each language: labels of national numbers, heads of columns, sentences, documents

LABELS = {
    "US_SSN": ["SSN", "Social Security number", "Soc. Sec. No."], "US_ITIN": ["ITIN", "Individual Taxpayer Identification Number", "Taxpayer ID (ITIN)"],
    "CA_SIN": ["SIN", "Social Insurance Number", "NAS / SIN"], "UK_NINO": ["NI number", "National Insurance No.", "NINO"], "UK_NHS": ["NHS number", "NHS No.", "NHS no"],
    "AU_TFN": ["TFN", "Tax File Number", "tax file no."], "IN_AADHAAR": ["Aadhaar", "Aadhaar No.", "UIDAI number"], "IN_PAN": ["PAN", "PAN card", "Permanent Account Number"],
    "DE_TAX_ID": ["Steuer-ID", "Steueridentifikationsnummer", "IdNr.", "Steuerliche Identifikationsnummer"], "FR_NIR": ["N° de sécurité sociale", "NIR", "numéro de sécu"],
    "ES_NIF": ["DNI", "NIF", "D.N.I."], "ES_NIE": ["NIE", "N.I.E."], "IT_FISCAL_CODE": ["codice fiscale", "C.F.", "Cod. Fisc."], "NL_BSN": ["BSN", "burgerservicenummer"],
    "PL_PESEL": ["PESEL", "nr PESEL", "numer PESEL"], "BR_CPF": ["CPF", "CPF nº", "C.P.F."]}
GENERIC = {"en": ["ID number", "national identity number", "National ID"], "de": ["Identifikationsnummer", "Kennnummer", "Tax ID"], "fr": ["Numéro d'identification", "Identifiant national"],
           "es": ["Número de identificación", "documento de identidad"], "it": ["numero identificativo", "Tax ID"], "nl": ["identificatienummer", "persoonsnummer"],
           "pl": ["numer identyfikacyjny", "nr ewidencyjny"], "pt": ["número de identificação", "documento"]}
HEADS = {
    "en": """name:Name,Full name,Customer,Employee,Patient name|given:First name,Given name,Forename|family:Last name,Surname,Family name|email:Email,E-mail address,Contact email|phone:Phone,Mobile,Tel. no.,Telephone|dob:Date of birth,DOB,Birth date|
        addr:Street,Address,Home address,Address line 1|post:Postcode,ZIP code,Postal code|place:Full address,Mailing address|iban:IBAN,Bank account|card:Card number,Credit card|passport:Passport no.,Passport|mrn:MRN,Medical record number|user:Username,Login,User id|
        ip:IP address,Last IP,Client IP|pw:Password,Initial password|vin:VIN,Vehicle identification|imei:IMEI|mac:MAC address|geo:Coordinates,Lat/Lon|amount:Amount,Balance,Total|order:Order no,Invoice|created:Created,Updated at,Signed on|note:Note,Remarks|
        customer:customer,patient,account,holder|address:address,residence|contact:contact,contact_details|token:token,access_token|city:City""",
    "de": """name:Name,Kunde,Ansprechpartner,Mitarbeiter|given:Vorname,Rufname|family:Nachname,Familienname,Zuname|email:E-Mail,Mailadresse,E-Mail-Adresse|phone:Telefon,Tel.,Handynummer,Mobil|dob:Geburtsdatum,geb. am,Geburtstag|
        addr:Straße,Anschrift,Straße und Hausnummer|post:PLZ,Postleitzahl|place:Vollständige Anschrift,Wohnadresse|iban:IBAN,Bankverbindung|card:Kreditkarte,Kartennummer|passport:Reisepassnummer,Passnummer|mrn:Patientennummer,Fallnummer|user:Benutzername,Anmeldename,Kennung|
        ip:IP-Adresse,letzte IP|pw:Passwort,Kennwort|vin:Fahrgestellnummer,FIN|imei:IMEI|mac:MAC-Adresse|geo:Koordinaten,Standort|amount:Betrag,Summe|order:Bestellnummer,Rechnung|created:angelegt am,Datum|note:Bemerkung,Notiz|
        customer:kunde,patient,versicherter|address:anschrift,wohnort|contact:kontakt,erreichbarkeit|token:zugangstoken,schluessel|city:Ort""",
    "fr": """name:Nom complet,Client,Bénéficiaire,Salarié|given:Prénom,Prénoms|family:Nom,Nom de famille,Nom d'usage|email:Courriel,E-mail,Adresse électronique|phone:Téléphone,Tél.,Portable,Numéro de téléphone|dob:Date de naissance,Né(e) le|
        addr:Rue,Adresse,Adresse postale|post:Code postal,CP|place:Adresse complète,Domicile|iban:IBAN,Coordonnées bancaires|card:Carte bancaire,N° de carte|passport:N° de passeport,Passeport|mrn:IPP,N° de dossier patient|user:Identifiant,Nom d'utilisateur|
        ip:Adresse IP,IP|pw:Mot de passe,Mdp|vin:N° de châssis,VIN|imei:IMEI|mac:Adresse MAC|geo:Coordonnées GPS,Position|amount:Montant,Solde|order:N° de commande,Facture|created:Créé le,Date de saisie|note:Remarque,Observations|
        customer:client,patient,assuré|address:adresse,domicile|contact:contact,coordonnées|token:jeton,jeton_acces|city:Ville""",
    "es": """name:Nombre completo,Cliente,Titular,Paciente|given:Nombre,Nombre de pila|family:Apellidos,Primer apellido|email:Correo electrónico,Correo,E-mail|phone:Teléfono,Móvil,Tfno.|dob:Fecha de nacimiento,F. nac.|
        addr:Calle,Domicilio,Dirección|post:Código postal,C.P.|place:Dirección completa,Dirección postal|iban:IBAN,Cuenta bancaria|card:Tarjeta,Número de tarjeta|passport:Pasaporte,Nº de pasaporte|mrn:Nº de historia clínica,NHC|user:Usuario,Nombre de usuario|
        ip:Dirección IP,IP|pw:Contraseña,Clave|vin:Bastidor,Nº de bastidor|imei:IMEI|mac:Dirección MAC|geo:Coordenadas,Ubicación|amount:Importe,Saldo|order:Nº de pedido,Factura|created:Fecha de alta,Creado|note:Observaciones,Nota|
        customer:cliente,paciente,titular|address:direccion,domicilio|contact:contacto|token:token,clave_acceso|city:Ciudad""",
    "it": """name:Nominativo,Nome e cognome,Cliente,Intestatario|given:Nome,Nome di battesimo|family:Cognome|email:E-mail,Posta elettronica,Indirizzo e-mail|phone:Telefono,Cellulare,Tel.|dob:Data di nascita,Nato il|
        addr:Via,Indirizzo,Residenza|post:CAP,Codice postale|place:Indirizzo completo,Domicilio|iban:IBAN,Conto corrente|card:Carta di credito,Numero carta|passport:Passaporto,N. passaporto|mrn:N. cartella clinica,Codice paziente|user:Nome utente,Utente|
        ip:Indirizzo IP,IP|pw:Password,Parola chiave|vin:Telaio,Numero di telaio|imei:IMEI|mac:Indirizzo MAC|geo:Coordinate,Posizione|amount:Importo,Totale|order:N. ordine,Fattura|created:Data inserimento,Creato il|note:Note,Annotazioni|
        customer:cliente,paziente,assistito|address:indirizzo,residenza|contact:contatti,recapiti|token:token,chiave_accesso|city:Comune""",
    "nl": """name:Naam,Klant,Volledige naam,Medewerker|given:Voornaam,Roepnaam|family:Achternaam,Familienaam|email:E-mail,E-mailadres|phone:Telefoon,Mobiel,Telefoonnummer|dob:Geboortedatum,Geb. datum|
        addr:Straat,Adres,Straat en huisnummer|post:Postcode|place:Volledig adres,Woonadres|iban:IBAN,Rekeningnummer|card:Creditcard,Kaartnummer|passport:Paspoortnummer,Paspoort|mrn:Patiëntnummer,Dossiernummer|user:Gebruikersnaam,Inlognaam|
        ip:IP-adres,Laatste IP|pw:Wachtwoord|vin:Chassisnummer,VIN|imei:IMEI|mac:MAC-adres|geo:Coördinaten,Locatie|amount:Bedrag,Saldo|order:Bestelnummer,Factuur|created:Aangemaakt op,Datum|note:Opmerking,Notitie|
        customer:klant,patient,verzekerde|address:adres,woonadres|contact:contact,bereikbaar|token:sleutel,toegangstoken|city:Plaats""",
    "pl": """name:Imię i nazwisko,Klient,Pracownik,Pacjent|given:Imię,Imiona|family:Nazwisko|email:E-mail,Adres e-mail,Poczta|phone:Telefon,Tel. kom.,Numer telefonu|dob:Data urodzenia,Ur.|
        addr:Ulica,Adres,Ulica i numer|post:Kod pocztowy,Kod|place:Adres zamieszkania,Pełny adres|iban:IBAN,Numer rachunku|card:Karta płatnicza,Nr karty|passport:Nr paszportu,Paszport|mrn:Nr kartoteki,Numer historii choroby|user:Nazwa użytkownika,Login|
        ip:Adres IP,IP|pw:Hasło|vin:Nr nadwozia,VIN|imei:IMEI|mac:Adres MAC|geo:Współrzędne,Położenie|amount:Kwota,Saldo|order:Nr zamówienia,Faktura|created:Utworzono,Data wpisu|note:Uwagi,Notatka|
        customer:klient,pacjent,ubezpieczony|address:adres,miejsce_zamieszkania|contact:kontakt|token:klucz,token_dostepu|city:Miejscowość""",
    "pt": """name:Nome completo,Cliente,Titular,Paciente|given:Nome,Primeiro nome|family:Sobrenome,Último nome|email:E-mail,Correio eletrônico|phone:Telefone,Celular,Tel.|dob:Data de nascimento,Nascimento,Nasc.|
        addr:Rua,Endereço,Logradouro|post:CEP|place:Endereço completo,Endereço residencial|iban:IBAN,Conta bancária|card:Cartão de crédito,Número do cartão|passport:Passaporte,Nº do passaporte|mrn:Prontuário,Nº do prontuário|user:Usuário,Nome de usuário|
        ip:Endereço IP,IP|pw:Senha|vin:Chassi,Nº do chassi|imei:IMEI|mac:Endereço MAC|geo:Coordenadas,Localização|amount:Valor,Saldo|order:Nº do pedido,Nota fiscal|created:Criado em,Data de cadastro|note:Observação,Obs.|
        customer:cliente,paciente,segurado|address:endereco,residencia|contact:contato|token:token,chave_acesso|city:Cidade""",
}
HEADS = {k: {f.split(":")[0].strip(): [x.strip() for x in f.split(":")[1].split(",")] for f in v.replace("\n", "").split("|")} for k, v in HEADS.items()}

# sentences with something in them; each is one line
SENTENCES = {
    "en": """[[person]] will sign for the delivery on Monday.
We spoke to [[titled]] about the roof and agreed to wait.
You can reach [[person]] on [[phone]] most evenings.
Forward the minutes to [[email]] and copy [[o_email]].
The tenant, [[person]], lives at [[place]].
According to the file, [[titled]] was born on [[dob]].
For the record: [[nat]].
Applicant [[lastfirst]]; [[nat]]; date of birth [[dob]].
My new address is [[place]].
Passport [[passport]] expires next spring.
The hotel charged my card [[card]] twice.
Please pay into [[iban]] by the end of the month.
Routing number [[aba]] goes on line two.
The ransom was to be sent to [[crypto]].
Sign in as user [[user]] with the password [[pw]].
The request came from [[ip]] shortly after lunch.
The stolen handset (IMEI [[imei]]) was last seen near [[geo]].
The van with VIN [[vin]] failed its inspection.
The printer's MAC address is [[mac]].
Chart number [[mrn]] belongs to [[titled]].
Prescribed by [[titled]], NPI [[npi]], DEA number [[dea]].
His mother [[person]] moved in with [[o_person]] after the flood.
Neither [[person]] nor [[o_person]] replied to the summons.
Meet me at [[geo]], by the old pier.
I think [[person]] wrote that chapter, not [[o_person]].
Mail for [[person]], [[addr]], [[post]].
Call [[titled]] at [[phone]] or write to [[email]].
Driver: [[lastfirst]], phone [[phone]], vehicle VIN [[vin]].
[[titled]] gave [[nat]] over the phone.
On page two: [[person]], [[nat]], [[phone]].
We still need a copy for [[nat]] ([[lastfirst]]).""",
    "de": """[[person]] nimmt die Lieferung am Montag entgegen.
Wir haben mit [[titled]] über das Dach gesprochen.
Telefonisch erreichen Sie [[person]] unter [[phone]].
Bitte das Protokoll an [[email]] und in Kopie an [[o_email]] schicken.
Die Mieterin, [[person]], wohnt in der Wohnung [[addr]], [[post]].
Laut Akte wurde [[titled]] am [[dob]] geboren.
Zur Vervollständigung: [[nat]].
Antragsteller [[lastfirst]], geb. [[dob]], [[nat]].
Meine neue Anschrift lautet [[place]].
Der Reisepass Nr. [[passport]] läuft im Frühjahr ab.
Das Hotel hat meine Kreditkarte [[card]] zweimal belastet.
Bitte überweisen Sie auf das Konto [[iban]] bis Monatsende.
Das Lösegeld sollte an [[crypto]] gehen.
Benutzername [[user]], Kennwort [[pw]], bitte nach dem ersten Anmelden ändern.
Der Zugriff kam von [[ip]] kurz nach Mittag.
Das gestohlene Handy (IMEI [[imei]]) war zuletzt bei [[geo]].
Der Transporter mit der Fahrgestellnummer [[vin]] fiel durch den TÜV.
Der Drucker hat die MAC-Adresse [[mac]].
Patientennummer [[mrn]] gehört zu [[titled]].
Weder [[person]] noch [[o_person]] haben auf die Ladung geantwortet.
Das Kapitel hat wohl [[person]] geschrieben und nicht [[o_person]].
Rückfragen an [[titled]], Tel. [[phone]], E-Mail [[email]].
Die Nachbarn von [[person]] beschweren sich seit Wochen.
[[titled]] nannte am Telefon [[nat]].
Auf Seite zwei: [[person]], [[nat]], [[phone]].
Es fehlt noch der Nachweis zu [[nat]] ([[lastfirst]]).""",
    "fr": """[[person]] réceptionnera la livraison lundi.
Nous avons parlé de la toiture avec [[titled]].
Vous pouvez joindre [[person]] au [[phone]] en soirée.
Merci d'envoyer le compte rendu à [[email]], copie à [[o_email]].
La locataire, [[person]], demeure [[place]].
D'après le dossier, [[titled]] est né(e) le [[dob]].
Pour mémoire : [[nat]].
Demandeur : [[lastfirst]], date de naissance : [[dob]], [[nat]].
Ma nouvelle adresse est la suivante : [[place]].
Le passeport n° [[passport]] expire au printemps.
L'hôtel a débité deux fois ma carte [[card]].
Veuillez virer la somme sur le compte [[iban]] avant la fin du mois.
La rançon devait être versée à [[crypto]].
Identifiant [[user]], mot de passe [[pw]], à changer à la première connexion.
La requête venait de [[ip]] peu après midi.
Le téléphone volé (IMEI [[imei]]) a été localisé vers [[geo]].
Le fourgon, n° de châssis [[vin]], a raté le contrôle.
L'imprimante a pour adresse MAC [[mac]].
Le dossier patient n° [[mrn]] est celui de [[titled]].
Ni [[person]] ni [[o_person]] n'ont répondu à la convocation.
Ce chapitre serait de [[person]] et non de [[o_person]].
Contactez [[titled]] au [[phone]] ou par courriel : [[email]].
Le voisin de [[person]] se plaint depuis des semaines.
[[titled]] a communiqué par téléphone : [[nat]].
En page deux : [[person]], [[nat]], [[phone]].
Il manque le justificatif pour [[nat]] ([[lastfirst]]).""",
    "es": """[[person]] recogerá el paquete el lunes.
Hablamos del tejado con [[titled]] y quedamos en esperar.
Puede localizar a [[person]] en el [[phone]] por las tardes.
Envíe el acta a [[email]] con copia a [[o_email]].
La inquilina, [[person]], vive en [[place]].
Según el expediente, [[titled]] nació el [[dob]].
Para que conste: [[nat]].
Solicitante: [[lastfirst]], fecha de nacimiento [[dob]], [[nat]].
Mi nueva dirección es [[place]].
El pasaporte n.º [[passport]] caduca en primavera.
El hotel cargó dos veces mi tarjeta [[card]].
Ingrese el importe en la cuenta [[iban]] antes de fin de mes.
El rescate debía enviarse a [[crypto]].
Usuario [[user]], contraseña [[pw]], cámbiela al entrar.
La petición llegó desde [[ip]] después de comer.
El móvil robado (IMEI [[imei]]) estuvo en [[geo]].
La furgoneta con bastidor [[vin]] no pasó la ITV.
La impresora tiene la dirección MAC [[mac]].
La historia clínica [[mrn]] es de [[titled]].
Ni [[person]] ni [[o_person]] contestaron a la citación.
Creo que el capítulo es de [[person]], no de [[o_person]].
Llame a [[titled]] al [[phone]] o escriba a [[email]].
El vecino de [[person]] se queja desde hace semanas.
[[titled]] facilitó por teléfono [[nat]].
En la página dos: [[person]], [[nat]], [[phone]].
Falta el justificante de [[nat]] ([[lastfirst]]).""",
    "it": """[[person]] ritirerà il pacco lunedì.
Abbiamo parlato del tetto con [[titled]].
Può trovare [[person]] al [[phone]] la sera.
Mandate il verbale a [[email]] e in copia a [[o_email]].
L'inquilina, [[person]], abita in [[place]].
Dal fascicolo risulta che [[titled]] è nato/a il [[dob]].
Per completezza: [[nat]].
Richiedente: [[lastfirst]], data di nascita [[dob]], [[nat]].
Il mio nuovo indirizzo è [[place]].
Il passaporto n. [[passport]] scade in primavera.
L'albergo ha addebitato due volte la carta [[card]].
Si prega di versare sul conto [[iban]] entro fine mese.
Il riscatto doveva andare a [[crypto]].
Nome utente [[user]], password [[pw]], da cambiare al primo accesso.
La richiesta veniva da [[ip]] poco dopo pranzo.
Il telefono rubato (IMEI [[imei]]) era vicino a [[geo]].
Il furgone con telaio [[vin]] non ha superato la revisione.
La stampante ha indirizzo MAC [[mac]].
La cartella clinica n. [[mrn]] è di [[titled]].
Né [[person]] né [[o_person]] hanno risposto alla convocazione.
Credo che il capitolo sia di [[person]] e non di [[o_person]].
Chiamare [[titled]] al [[phone]] o scrivere a [[email]].
Il vicino di [[person]] si lamenta da settimane.
[[titled]] ha comunicato per telefono [[nat]].
A pagina due: [[person]], [[nat]], [[phone]].
Manca ancora la copia per [[nat]] ([[lastfirst]]).""",
    "nl": """[[person]] neemt de levering maandag in ontvangst.
We spraken met [[titled]] over het dak.
U bereikt [[person]] 's avonds op [[phone]].
Stuur de notulen naar [[email]] met een kopie aan [[o_email]].
De huurder, [[person]], woont op [[place]].
Volgens het dossier is [[titled]] geboren op [[dob]].
Ter aanvulling: [[nat]].
Aanvrager: [[lastfirst]], geboortedatum [[dob]], [[nat]].
Mijn nieuwe adres is [[place]].
Paspoort [[passport]] verloopt in het voorjaar.
Het hotel heeft mijn creditcard [[card]] twee keer belast.
Graag overmaken op rekening [[iban]] voor het einde van de maand.
Het losgeld moest naar [[crypto]].
Gebruikersnaam [[user]], wachtwoord [[pw]], wijzig dit na het inloggen.
Het verzoek kwam van [[ip]] kort na de middag.
De gestolen telefoon (IMEI [[imei]]) was bij [[geo]].
De bus met chassisnummer [[vin]] is afgekeurd.
De printer heeft MAC-adres [[mac]].
Patiëntnummer [[mrn]] hoort bij [[titled]].
Noch [[person]] noch [[o_person]] reageerde op de oproep.
Volgens mij schreef [[person]] dat hoofdstuk en niet [[o_person]].
Bel [[titled]] op [[phone]] of mail naar [[email]].
De buren van [[person]] klagen al weken.
[[titled]] gaf telefonisch door: [[nat]].
Op bladzijde twee: [[person]], [[nat]], [[phone]].
Het bewijs bij [[nat]] ontbreekt nog ([[lastfirst]]).""",
    "pl": """Przesyłkę odbierze w poniedziałek [[person]].
O dachu rozmawiał z nami [[titled]].
Wieczorem pod numerem [[phone]] odbiera [[person]].
Protokół proszę wysłać na [[email]], kopia na [[o_email]].
Lokator: [[person]], zamieszkały/a [[place]].
Zgodnie z aktami [[titled]], data urodzenia: [[dob]].
Dla porządku: [[nat]].
Wnioskodawca: [[lastfirst]], ur. [[dob]], [[nat]].
Mój nowy adres to [[place]].
Paszport nr [[passport]] wygasa wiosną.
Hotel dwa razy obciążył moją kartę [[card]].
Proszę o przelew na konto [[iban]] do końca miesiąca.
Okup miał trafić na [[crypto]].
Login: [[user]], hasło: [[pw]], proszę zmienić po zalogowaniu.
Żądanie przyszło z [[ip]] tuż po południu.
Skradziony telefon (IMEI [[imei]]) był ostatnio w punkcie [[geo]].
Furgonetka o numerze VIN [[vin]] nie przeszła przeglądu.
Drukarka ma adres MAC [[mac]].
Kartoteka nr [[mrn]], pacjent: [[titled]].
Na wezwanie nie odpowiedzieli ani [[person]], ani [[o_person]].
Ten rozdział napisał(a) chyba [[person]], a nie [[o_person]].
Kontakt: [[titled]], tel. [[phone]], e-mail [[email]].
Od tygodni skarży się na hałas [[person]].
Przez telefon [[titled]] podaje: [[nat]].
Na stronie drugiej: [[person]], [[nat]], [[phone]].
Brakuje jeszcze zaświadczenia: [[nat]] ([[lastfirst]]).""",
    "pt": """[[person]] vai receber a entrega na segunda-feira.
Falamos sobre o telhado com [[titled]].
Você encontra [[person]] no [[phone]] à noite.
Envie a ata para [[email]] com cópia para [[o_email]].
A inquilina, [[person]], mora na [[place]].
Segundo o processo, [[titled]] nasceu em [[dob]].
Para constar: [[nat]].
Requerente: [[lastfirst]], data de nascimento [[dob]], [[nat]].
Meu novo endereço é [[place]].
O passaporte nº [[passport]] vence no outono.
O hotel cobrou duas vezes no cartão [[card]].
Favor depositar na conta [[iban]] até o fim do mês.
O resgate deveria ir para [[crypto]].
Usuário [[user]], senha [[pw]], troque no primeiro acesso.
O pedido veio de [[ip]] logo depois do almoço.
O celular roubado (IMEI [[imei]]) esteve em [[geo]].
A van de chassi [[vin]] não passou na vistoria.
A impressora tem o endereço MAC [[mac]].
O prontuário [[mrn]] é de [[titled]].
Nem [[person]] nem [[o_person]] responderam à intimação.
Acho que o capítulo é de [[person]], e não de [[o_person]].
Ligue para [[titled]] no [[phone]] ou escreva para [[email]].
O vizinho de [[person]] reclama há semanas.
[[titled]] informou por telefone [[nat]].
Na página dois: [[person]], [[nat]], [[phone]].
Falta o comprovante de [[nat]] ([[lastfirst]]).""",
}
SENTENCES = {k: v.split("\n") for k, v in SENTENCES.items()}
FILLER = {
    "en": "The meeting ran late and nobody minded.|Rain is expected for most of the week.|Nothing in the contract says otherwise.|We measured it twice and got the same answer.|The kettle has been broken since autumn.|Half of the shelves are still empty.|A second coat of paint may be needed.|It takes about an hour by train.",
    "de": "Die Sitzung dauerte länger als geplant.|Für die ganze Woche ist Regen angesagt.|Im Vertrag steht nichts anderes.|Der Wasserkocher ist seit Herbst kaputt.|Die Hälfte der Regale ist noch leer.|Mit der Bahn dauert es etwa eine Stunde.|Der Bericht liegt im Ordner neben der Tür.",
    "fr": "La réunion a duré plus longtemps que prévu.|De la pluie est attendue toute la semaine.|Le contrat ne dit rien d'autre.|La bouilloire est cassée depuis l'automne.|La moitié des étagères est encore vide.|Il faut environ une heure en train.|Une seconde couche sera nécessaire.",
    "es": "La reunión se alargó más de lo previsto.|Se espera lluvia toda la semana.|El contrato no dice otra cosa.|El hervidor está roto desde el otoño.|La mitad de los estantes sigue vacía.|En tren se tarda una hora.|Hará falta otra mano de pintura.",
    "it": "La riunione è durata più del previsto.|È attesa pioggia per tutta la settimana.|Il contratto non dice altro.|Il bollitore è rotto dall'autunno.|Metà degli scaffali è ancora vuota.|In treno ci vuole circa un'ora.|Servirà una seconda mano di vernice.",
    "nl": "De vergadering liep uit.|Er wordt de hele week regen verwacht.|In het contract staat niets anders.|De waterkoker is sinds de herfst kapot.|De helft van de planken is nog leeg.|Met de trein duurt het een uur.|Een tweede laag verf is nodig.",
    "pl": "Zebranie trwało dłużej, niż planowano.|Przez cały tydzień ma padać.|Umowa nie mówi nic innego.|Czajnik nie działa od jesieni.|Połowa półek jest jeszcze pusta.|Pociągiem jedzie się około godziny.|Potrzebna będzie druga warstwa farby.",
    "pt": "A reunião demorou mais do que o previsto.|A previsão é de chuva a semana toda.|O contrato não diz outra coisa.|A chaleira está quebrada desde o outono.|Metade das prateleiras ainda está vazia.|De trem leva cerca de uma hora.|Vai ser preciso outra demão de tinta.",
}
FILLER = {k: v.split("|") for k, v in FILLER.items()}
LURES = {  # decoys in the language's own sentences
    "de": "Die Bestellung [[d_order_number]] vom [[d_date]] ist unterwegs.|Der Betrag von [[d_price]] wurde gebucht.|Die Tagung findet im [[d_org_place]] statt.|[[d_sentence_word]]|Ersatzteil [[d_part_number]] ist nicht lieferbar.|Vorgang [[d_ticket]] ist abgeschlossen.|Das Buch ([[d_isbn]]) ist vergriffen.|Insgesamt [[d_big_number]] Zeilen wurden gezählt.|Die Stichprobe folgt einem [[d_eponym]]-Modell.|Tragen Sie [[d_placeholder]] ein.|Die Probekarte [[d_card_bad_luhn]] wird abgelehnt.|Der Anteil beträgt [[d_percent]].|Die Seiten [[d_number_range]] fehlen.|Getestet wurde das Gerät [[d_product]].|Die Prüfung der Kontonummer [[d_iban_bad_sum]] schlug fehl.|Charge [[d_nhs_bad_sum]] gesperrt.",
    "fr": "La commande [[d_order_number]] du [[d_date]] est en route.|Le montant de [[d_price]] a été débité.|Le colloque se tient à [[d_org_place]].|[[d_sentence_word]]|La pièce [[d_part_number]] est en rupture.|Le ticket [[d_ticket]] est clos.|L'ouvrage ([[d_isbn]]) est épuisé.|Au total [[d_big_number]] lignes.|On ajuste un modèle [[d_eponym]].|Saisissez [[d_placeholder]] dans la case.|La carte d'essai [[d_card_bad_luhn]] doit être refusée.|La part est de [[d_percent]].|Les pages [[d_number_range]] manquent.|Essai réalisé avec [[d_product]].|Le lot [[d_nhs_bad_sum]] est bloqué.|Le compte fictif [[d_iban_bad_sum]] est rejeté.",
    "es": "El pedido [[d_order_number]] del [[d_date]] va en camino.|Se ha cobrado [[d_price]].|El congreso será en [[d_org_place]].|[[d_sentence_word]]|La pieza [[d_part_number]] está agotada.|La incidencia [[d_ticket]] está cerrada.|El libro ([[d_isbn]]) está descatalogado.|En total [[d_big_number]] filas.|Se ajusta un modelo [[d_eponym]].|Escriba [[d_placeholder]] en la casilla.|La tarjeta de prueba [[d_card_bad_luhn]] debe rechazarse.|La cuota es del [[d_percent]].|Faltan las páginas [[d_number_range]].|Probado con [[d_product]].|El lote [[d_nhs_bad_sum]] queda retenido.|La cuenta de muestra [[d_iban_bad_sum]] no es válida.",
    "it": "L'ordine [[d_order_number]] del [[d_date]] è partito.|Sono stati addebitati [[d_price]].|Il convegno si tiene presso [[d_org_place]].|[[d_sentence_word]]|Il ricambio [[d_part_number]] è esaurito.|La segnalazione [[d_ticket]] è chiusa.|Il libro ([[d_isbn]]) è fuori catalogo.|In tutto [[d_big_number]] righe.|Si usa un modello [[d_eponym]].|Scrivere [[d_placeholder]] nel campo.|La carta di prova [[d_card_bad_luhn]] va rifiutata.|La quota è del [[d_percent]].|Mancano le pagine [[d_number_range]].|Provato con [[d_product]].|Il lotto [[d_nhs_bad_sum]] è bloccato.|Il conto di esempio [[d_iban_bad_sum]] non è valido.",
    "nl": "Bestelling [[d_order_number]] van [[d_date]] is onderweg.|Er is [[d_price]] afgeschreven.|Het congres is in [[d_org_place]].|[[d_sentence_word]]|Onderdeel [[d_part_number]] is uitverkocht.|Melding [[d_ticket]] is gesloten.|Het boek ([[d_isbn]]) is uitverkocht.|In totaal [[d_big_number]] regels.|We gebruiken een [[d_eponym]]-model.|Vul [[d_placeholder]] in.|Testkaart [[d_card_bad_luhn]] moet geweigerd worden.|Het aandeel is [[d_percent]].|De bladzijden [[d_number_range]] ontbreken.|Getest met de [[d_product]].|Partij [[d_nhs_bad_sum]] is geblokkeerd.|Voorbeeldrekening [[d_iban_bad_sum]] klopt niet.",
    "pl": "Zamówienie [[d_order_number]] z dnia [[d_date]] jest w drodze.|Pobrano kwotę [[d_price]].|Konferencja: [[d_org_place]].|[[d_sentence_word]]|Część [[d_part_number]] jest niedostępna.|Zgłoszenie [[d_ticket]] zamknięto.|Nakład książki ([[d_isbn]]) wyczerpany.|Razem [[d_big_number]] wierszy.|Stosujemy model [[d_eponym]].|Proszę wpisać [[d_placeholder]].|Karta testowa [[d_card_bad_luhn]] ma być odrzucona.|Udział wynosi [[d_percent]].|Brakuje stron [[d_number_range]].|Sprawdzono na [[d_product]].|Partia [[d_nhs_bad_sum]] wstrzymana.|Przykładowy rachunek [[d_iban_bad_sum]] jest błędny.",
    "pt": "O pedido [[d_order_number]] de [[d_date]] está a caminho.|Foram cobrados [[d_price]].|O congresso será no [[d_org_place]].|[[d_sentence_word]]|A peça [[d_part_number]] está em falta.|O chamado [[d_ticket]] foi encerrado.|O livro ([[d_isbn]]) está esgotado.|No total [[d_big_number]] linhas.|Usamos um modelo [[d_eponym]].|Digite [[d_placeholder]] no campo.|O cartão de teste [[d_card_bad_luhn]] deve ser recusado.|A fatia é de [[d_percent]].|Faltam as páginas [[d_number_range]].|Testado com [[d_product]].|O código [[d_cpf_bad_sum]] não é um CPF válido.|O lote [[d_nhs_bad_sum]] está retido.",
}
LURES = {k: v.split("|") for k, v in LURES.items()}
LURES["en"] = TECH

# whole documents; [[fill]] is a plain sentence, [[sent]] one with something in it, [[lure]] one with a decoy
LETTERS = {
    "en": ["""[[company]]\n[[town]], [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nRe: [[nat]]\n\nDear [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nYours sincerely,\n\n[[o_person]]\nTel: [[o_phone]]\n[[o_email]]""",
           """Dear [[given]],\n\n[[fill]] [[sent]] [[lure]] [[fill]]\n\nMy bank details are [[iban]], account holder [[person]].\n\nKind regards\n[[o_person]]\nClaims department, [[company]]\ndirect line [[o_phone]]""",
           """To whom it may concern\n\nI, [[person]], born on [[dob]], residing at [[addr]], [[postcity]], [[nat]], hereby authorise [[o_person]] (passport [[o_passport]]) to collect my post. [[lure]] [[fill]]\n\nSigned: [[person]]"""],
    "de": ["""[[company]]\n[[town]], den [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nBetreff: [[nat]]\n\nGuten Tag [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nMit freundlichen Grüßen\n\n[[o_person]]\nTelefon: [[o_phone]]\nE-Mail: [[o_email]]""",
           """Hallo [[given]],\n\n[[fill]] [[sent]] [[lure]]\n\nMeine Bankverbindung: [[iban]], Kontoinhaber [[person]].\n\nViele Grüße\n[[o_person]]\n[[company]], Durchwahl [[o_phone]]""",
           """Vollmacht\n\nHiermit bevollmächtige ich, [[person]], geboren am [[dob]], wohnhaft [[addr]], [[postcity]], [[nat]], die folgende Person zur Abholung: [[o_person]], Reisepassnummer [[o_passport]]. [[lure]] [[fill]]\n\nUnterschrift: [[person]]"""],
    "fr": ["""[[company]]\n[[town]], le [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nObjet : [[nat]]\n\nBonjour [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nVeuillez agréer mes salutations distinguées.\n\n[[o_person]]\nTél. : [[o_phone]]\n[[o_email]]""",
           """Cher/Chère [[given]],\n\n[[fill]] [[sent]] [[lure]]\n\nVoici mon RIB : [[iban]], titulaire [[person]].\n\nBien cordialement,\n[[o_person]]\nService sinistres, [[company]]\nligne directe [[o_phone]]""",
           """Procuration\n\nJe soussigné(e) [[person]], né(e) le [[dob]], demeurant [[addr]], [[postcity]], [[nat]], donne pouvoir à [[o_person]] (passeport [[o_passport]]) pour retirer mon courrier. [[lure]] [[fill]]\n\nSignature : [[person]]"""],
    "es": ["""[[company]]\n[[town]], a [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nAsunto: [[nat]]\n\nEstimado/a [[titled]]:\n\n[[fill]] [[sent]] [[lure]]\n\nAtentamente,\n\n[[o_person]]\nTeléfono: [[o_phone]]\n[[o_email]]""",
           """Hola, [[given]]:\n\n[[fill]] [[sent]] [[lure]]\n\nMi cuenta es [[iban]], a nombre de [[person]].\n\nUn saludo\n[[o_person]]\nSiniestros, [[company]]\ndirecto [[o_phone]]""",
           """Autorización\n\nYo, [[person]], con fecha de nacimiento [[dob]] y domicilio en [[addr]], [[postcity]], [[nat]], autorizo a [[o_person]] (pasaporte [[o_passport]]) a recoger mi correo. [[lure]] [[fill]]\n\nFirmado: [[person]]"""],
    "it": ["""[[company]]\n[[town]], [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nOggetto: [[nat]]\n\nGentile [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nDistinti saluti\n\n[[o_person]]\nTel. [[o_phone]]\n[[o_email]]""",
           """Ciao [[given]],\n\n[[fill]] [[sent]] [[lure]]\n\nLe mie coordinate: [[iban]], intestato a [[person]].\n\nUn caro saluto\n[[o_person]]\nUfficio sinistri, [[company]]\ninterno diretto [[o_phone]]""",
           """Delega\n\nIo sottoscritto/a [[person]], nato/a il [[dob]], residente in [[addr]], [[postcity]], [[nat]], delego [[o_person]] (passaporto [[o_passport]]) al ritiro della posta. [[lure]] [[fill]]\n\nFirma: [[person]]"""],
    "nl": ["""[[company]]\n[[town]], [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nBetreft: [[nat]]\n\nGeachte [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nMet vriendelijke groet,\n\n[[o_person]]\nTel. [[o_phone]]\n[[o_email]]""",
           """Beste [[given]],\n\n[[fill]] [[sent]] [[lure]]\n\nMijn rekening is [[iban]] ten name van [[person]].\n\nGroeten,\n[[o_person]]\nSchadeafdeling, [[company]]\ndoorkiesnummer [[o_phone]]""",
           """Machtiging\n\nOndergetekende, [[person]], geboren op [[dob]], wonende [[addr]], [[postcity]], [[nat]], machtigt [[o_person]] (paspoort [[o_passport]]) om de post op te halen. [[lure]] [[fill]]\n\nHandtekening: [[person]]"""],
    "pl": ["""[[company]]\n[[town]], [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nDotyczy: [[nat]]\n\nDzień dobry, [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nZ poważaniem\n\n[[o_person]]\ntel. [[o_phone]]\n[[o_email]]""",
           """Cześć!\n\n[[fill]] [[sent]] [[lure]]\n\nMój rachunek: [[iban]], właściciel: [[person]].\n\nPozdrawiam\n[[o_person]]\nDział szkód, [[company]]\nnumer bezpośredni [[o_phone]]""",
           """Pełnomocnictwo\n\nJa, niżej podpisany/a [[person]], ur. [[dob]], zam. [[addr]], [[postcity]], [[nat]], udzielam pełnomocnictwa osobie: [[o_person]] (paszport [[o_passport]]). [[lure]] [[fill]]\n\nPodpis: [[person]]"""],
    "pt": ["""[[company]]\n[[town]], [[d_date]]\n\n[[person]]\n[[addr]]\n[[postcity]]\n\nAssunto: [[nat]]\n\nPrezado(a) [[titled]],\n\n[[fill]] [[sent]] [[lure]]\n\nAtenciosamente,\n\n[[o_person]]\nTelefone: [[o_phone]]\n[[o_email]]""",
           """Oi, [[given]],\n\n[[fill]] [[sent]] [[lure]]\n\nMinha conta no exterior é [[iban]], titular [[person]].\n\nAbraços\n[[o_person]]\nSinistros, [[company]]\nramal direto [[o_phone]]""",
           """Procuração\n\nEu, [[person]], nascido(a) em [[dob]], residente na [[addr]], [[postcity]], [[nat]], autorizo [[o_person]] (passaporte [[o_passport]]) a retirar minha correspondência. [[lure]] [[fill]]\n\nAssinado: [[person]]"""],
}
MEDICAL = {
    "en": ["""DISCHARGE SUMMARY\nPatient: [[lastfirst]]\nDOB: [[dob]]   MRN: [[mrn]]\n[[nat]]\nAttending: [[o_titled]]\n\nSeen for a persistent cough. Gave 500 mg of amoxicillin; blood pressure 128/79. Dose by the [[d_eponym]] fit. [[lure]]\nFollow-up: call [[phone]].""",
           """[[titled]], born [[dob]], was reviewed on the ward on [[d_date]]. Hospital no. [[mrn]]. Bloods: Na 139, K 4.1, CRP 12-18. Plan agreed with [[o_titled]]. Letter copied to [[email]]. [[fill]]"""],
    "de": ["""ARZTBRIEF\nPatient: [[lastfirst]], geb. [[dob]]\nPatientennummer: [[mrn]]\n[[nat]]\nBehandelnd: [[o_titled]]\n\nVorstellung wegen anhaltenden Hustens. Blutdruck 128/79, Gabe von 500 mg Amoxicillin. [[lure]]\nRückruf unter [[phone]].""",
           """[[titled]], geboren am [[dob]], wurde am [[d_date]] auf Station gesehen. Fallnummer [[mrn]]. Labor: Na 139, K 4,1, CRP 12-18. Kopie an [[email]]. [[fill]]"""],
    "fr": ["""COMPTE RENDU D'HOSPITALISATION\nPatient : [[lastfirst]], né(e) le [[dob]]\nIPP : [[mrn]]\n[[nat]]\nMédecin : [[o_titled]]\n\nToux persistante, tension 128/79, amoxicilline 500 mg. [[lure]]\nÀ rappeler au [[phone]].""",
           """[[titled]], né(e) le [[dob]], vu(e) en consultation le [[d_date]]. N° de dossier patient : [[mrn]]. Na 139, K 4,1, CRP 12-18. Copie à [[email]]. [[fill]]"""],
    "es": ["""INFORME DE ALTA\nPaciente: [[lastfirst]]\nFecha de nacimiento: [[dob]]\nN.º de historia clínica: [[mrn]]\n[[nat]]\nMédico: [[o_titled]]\n\nTos persistente, tensión 128/79, amoxicilina 500 mg. [[lure]]\nTeléfono de contacto: [[phone]].""",
           """[[titled]], fecha de nacimiento [[dob]], acude a consulta el [[d_date]]. NHC [[mrn]]. Na 139, K 4,1, PCR 12-18. Copia a [[email]]. [[fill]]"""],
    "it": ["""LETTERA DI DIMISSIONE\nPaziente: [[lastfirst]]\nData di nascita: [[dob]]\nCartella clinica n.: [[mrn]]\n[[nat]]\nMedico: [[o_titled]]\n\nTosse persistente, pressione 128/79, amoxicillina 500 mg. [[lure]]\nRecapito: [[phone]].""",
           """[[titled]], nato/a il [[dob]], visitato/a il [[d_date]]. Codice paziente [[mrn]]. Na 139, K 4,1, PCR 12-18. Copia a [[email]]. [[fill]]"""],
    "nl": ["""ONTSLAGBRIEF\nPatiënt: [[lastfirst]]\nGeboortedatum: [[dob]]\nPatiëntnummer: [[mrn]]\n[[nat]]\nBehandelaar: [[o_titled]]\n\nAanhoudende hoest, bloeddruk 128/79, amoxicilline 500 mg. [[lure]]\nTerugbellen op [[phone]].""",
           """[[titled]], geboren op [[dob]], gezien op [[d_date]]. Dossiernummer [[mrn]]. Na 139, K 4,1, CRP 12-18. Kopie naar [[email]]. [[fill]]"""],
    "pl": ["""KARTA INFORMACYJNA\nPacjent: [[lastfirst]]\nData urodzenia: [[dob]]\nNr historii choroby: [[mrn]]\n[[nat]]\nLekarz: [[o_titled]]\n\nUporczywy kaszel, ciśnienie 128/79, amoksycylina 500 mg. [[lure]]\nTelefon kontaktowy: [[phone]].""",
           """[[titled]], data urodzenia [[dob]], wizyta w dniu [[d_date]]. Nr kartoteki [[mrn]]. Na 139, K 4,1, CRP 12-18. Kopia: [[email]]. [[fill]]"""],
    "pt": ["""RESUMO DE ALTA\nPaciente: [[lastfirst]]\nData de nascimento: [[dob]]\nProntuário: [[mrn]]\n[[nat]]\nMédico: [[o_titled]]\n\nTosse persistente, pressão 128/79, amoxicilina 500 mg. [[lure]]\nTelefone para contato: [[phone]].""",
           """[[titled]], nascido(a) em [[dob]], atendido(a) em [[d_date]]. Nº do prontuário [[mrn]]. Na 139, K 4,1, PCR 12-18. Cópia para [[email]]. [[fill]]"""],
}
MEDICAL_US = ["""RX\nPatient: [[person]]  DOB [[dob]]\nPrescriber: [[o_titled]]  NPI [[npi]]  DEA [[dea]]\nAmoxicillin 500 mg, #30, no refills. Ref [[d_order_number]].\nSSN on file: [[ssn]]""",
              """CLAIM FORM\n1a. Insured: [[lastfirst]]\n3. Birth date: [[dob]]\n5. Address: [[addr]], [[postcity]]\n17. Referring provider: [[o_person]]   17b. NPI: [[npi]]\n26. Patient account (MRN): [[mrn]]\nDEA#: [[dea]]\nBilled: [[d_price]]""",
              """Direct deposit form. Employee [[person]]; [[nat]]. Bank routing number [[aba]], ABA on the check. [[lure]] Questions to [[email]].""",
              """Wire instructions: ABA [[aba]], beneficiary [[person]], [[addr]], [[postcity]]. Taxpayer: [[nat]]. [[lure]]""",
              """Provider directory\n[[o_lastfirst]] | NPI: [[npi]] | [[o_phone]]\n[[lastfirst]] | National Provider Identifier [[npi]] | DEA registration [[dea]]\n[[fill]]"""]
TICKETS = {
    "en": """Ticket [[d_ticket]] ([[d_log_level]])\nOpened: [[d_timestamp]]\nRequester: [[person]] <[[email]]>\nPhone: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Agent reply --\nHi [[given]], I have reset it. Your login is [[user]] and the temporary password is [[pw]]. It was last used from [[ip]].\n[[o_person]], Support""",
    "de": """Vorgang [[d_ticket]]\nEröffnet: [[d_timestamp]]\nMelder: [[person]] <[[email]]>\nTelefon: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Antwort --\nHallo [[given]], ich habe es zurückgesetzt. Anmeldename: [[user]], vorläufiges Passwort: [[pw]]. Letzter Zugriff von [[ip]].\n[[o_person]], Kundendienst""",
    "fr": """Demande [[d_ticket]]\nOuverte : [[d_timestamp]]\nDemandeur : [[person]] <[[email]]>\nTéléphone : [[phone]]\n\n[[sent]] [[lure]]\n\n-- Réponse --\nBonjour [[given]], c'est réinitialisé. Identifiant : [[user]], mot de passe provisoire : [[pw]]. Dernier accès depuis [[ip]].\n[[o_person]], assistance""",
    "es": """Incidencia [[d_ticket]]\nAbierta: [[d_timestamp]]\nSolicitante: [[person]] <[[email]]>\nTeléfono: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Respuesta --\nHola, [[given]]: ya está restablecida. Usuario: [[user]], contraseña provisional: [[pw]]. Último acceso desde [[ip]].\n[[o_person]], soporte""",
    "it": """Segnalazione [[d_ticket]]\nAperta: [[d_timestamp]]\nRichiedente: [[person]] <[[email]]>\nTelefono: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Risposta --\nCiao [[given]], ho reimpostato tutto. Nome utente: [[user]], password provvisoria: [[pw]]. Ultimo accesso da [[ip]].\n[[o_person]], assistenza""",
    "nl": """Melding [[d_ticket]]\nGeopend: [[d_timestamp]]\nMelder: [[person]] <[[email]]>\nTelefoon: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Antwoord --\nHoi [[given]], het is hersteld. Gebruikersnaam: [[user]], tijdelijk wachtwoord: [[pw]]. Laatst gebruikt vanaf [[ip]].\n[[o_person]], klantenservice""",
    "pl": """Zgłoszenie [[d_ticket]]\nOtwarto: [[d_timestamp]]\nZgłaszający: [[person]] <[[email]]>\nTelefon: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Odpowiedź --\nDzień dobry, dostęp przywrócony. Login: [[user]], hasło tymczasowe: [[pw]]. Ostatnie użycie z [[ip]].\n[[o_person]], pomoc techniczna""",
    "pt": """Chamado [[d_ticket]]\nAberto: [[d_timestamp]]\nSolicitante: [[person]] <[[email]]>\nTelefone: [[phone]]\n\n[[sent]] [[lure]]\n\n-- Resposta --\nOlá, [[given]], já redefini. Usuário: [[user]], senha provisória: [[pw]]. Último acesso de [[ip]].\n[[o_person]], suporte""",
}
MAIL = """From: [[person]] <[[email]]>\nTo: "[[o_lastfirst]]" <[[o_email]]>\nDate: [[d_timestamp]]\nMessage-ID: [[d_uuid]]\nX-Originating-IP: [ [[ip]] ]\nSubject: [[d_order_number]]\n\n[[fill]] [[sent]] [[lure]] [[fill]]\n\n-- \n[[person]]\n[[company]] | [[addr]] | [[postcity]]\n[[phone]] | [[email]]"""

LOG_LINES = """login ok user=[[user]] ip=[[ip]] took=[[ms]]ms|failed password for user [[user]] from [[ip]] port [[port]] ssh2|Accepted publickey for [[user]] from [[ip]] port [[port]] ssh2: RSA [[d_sha256]]|password reset mail sent to [[email]]|
session opened for user "[[user]]" token=[[jwt]]|Authorization: Bearer [[jwt]]|lease renewed: [[ip]] -> [[mac]]|DHCPACK on [[ip]] to [[mac]] via eth0|charge declined card=[[card]] reason=do_not_honor|customer [[person]] updated phone to [[phone]]|
SMS queued to=[[phone]] id=[[d_uuid]]|invite accepted by [[email]] ([[person]])|sync of contact "[[lastfirst]]" failed: timeout|payout to [[iban]] amount=[[d_price]]|withdrawal to [[crypto]] confirmed|device enrolled imei=[[imei]] owner=[[email]]|
telematics vin=[[vin]] pos=[[geo]] speed=51|loaded credentials [[aws]] for region eu-west-1|push to slack with [[slack]] failed: invalid_auth|git fetch https://[[github]]@github.com/acme/site.git|connect postgres://svc:[[pwsafe]]@db01:5432/app|
user_id=[[user]] action=delete target=[[d_uuid]]|patient lookup mrn=[[mrn]] by user=[[user]]|kyc: passport=[[passport]] status=verified|kyc: [[nat]] status=pending|record dob=[[dobiso]] accepted|client [[ip]] disconnected after [[ms]] ms|geocoded to [[geo]]|
NATIONAL_ID lookup for [[person]] took [[ms]]ms|env OPENAI key [[api]] rejected with 401|shipping label: [[person]], [[addr]], [[post]]"""
LOG_LURES = """listening on [[d_local_ip]]|upgraded to [[d_version4]]|checkpoint [[d_git_sha]] loaded|loss [[d_float_pair]]|processed [[d_big_number]] tokens|batch shape [[d_shape]]|trace [[d_uuid]] closed|resumed at [[d_epoch_ms]]|broadcast to [[d_mac_broadcast]]|
read [[d_file_path]]|GET [[d_url]] 200|using [[d_scoped_package]]|raised in [[d_scope_path]]|order [[d_order_number]] packed|ticket [[d_ticket]] reopened|masked card [[d_placeholder]]|rejected test pan [[d_card_bad_luhn]]|lot [[d_ssn_invalid_area]] scanned|
set level to [[d_log_level]]|gpu [[d_product]] at 71 C|checksum [[d_sha256]] ok|scheduled for [[d_timestamp]]|[[d_caps_word]] flag is on|skipped rows [[d_number_range]]|cache hit [[d_percent]]|image [[d_git_remote]] mirrored|iban check failed for [[d_iban_bad_sum]]|barcode [[d_barcode]]|
fit of [[d_eponym]] converged|prompt read by [[d_secret_code]]|batch no [[d_nhs_bad_sum]] purged"""
LOG_LINES = [x.strip() for x in LOG_LINES.replace("\n", "").split("|")]
LOG_LURES = [x.strip() for x in LOG_LURES.replace("\n", "").split("|")]

CODE = {
    "python": ("""import os\nimport requests\n\n~def main():\n    client = Client(api_key="[[api]]")\n    return client.run()~AWS_ACCESS_KEY_ID = "[[aws]]"\nREGION = "us-east-1"~db = connect(host="[[ip]]", user="svc", password="[[pw]]")~# TODO ([[person]]): retry on timeout, mail [[email]] if it breaks~GITHUB = '[[github]]'  # rotate me~slack_token = "[[slack]]"~
HEADERS = {"Authorization": "Bearer [[jwt]]"}~TEST_USER = {"name": "[[person]]", "phone": "[[phone]]", "birth_date": "[[dobiso]]"}~__author__ = "[[person]] <[[email]]>"~KEY = \"\"\"[[key]]\"\"\"~WALLET = "[[crypto]]"~assert is_valid_iban("[[iban]]")~assert luhn("[[card]]") is True~
def test_lookup():\n    row = lookup(username="[[user]]")\n    assert row.ip == "[[ip]]"~engine = create_engine("mysql://app:[[pwsafe]]@shopdb/shop")~# [[nat]]\n# used in the bug report of [[o_person]]~HOME = (  # where the reporter lives\n    "[[addr]]", "[[post]]")~OFFICE = [[geo_tuple]]~assert decode_vin("[[vin]]").year > 2000""",
               """[[d_secret_code]]~# see [[d_arxiv]]~x = torch.zeros([[d_shape]])~VERSION = "[[d_version]]"~[[d_decorator]]\nclass Thing:\n    pass~BIND = "[[d_local_ip]]"~COMMIT = "[[d_git_sha]]"~# [[d_secret_code]]~RUN = "[[d_uuid]]"~COLOUR = "[[d_hex_colour]]"~assert not luhn("[[d_card_bad_luhn]]")~LIMIT = [[d_number_range]]  # noqa~path = "[[d_file_path]]"~password = "[[d_placeholder]]"~# [[d_url]]~assert not is_valid_iban("[[d_iban_bad_sum]]")~assert not valid_ssn("[[d_ssn_invalid_area]]")~STARTED = "[[d_timestamp]]"~# the [[d_eponym]] prior is enough~assert not valid_cpf("[[d_cpf_bad_sum]]")~MODEL = "[[d_product]]\""""),
    "rust": ("""use std::net::IpAddr;\n~const API_KEY: &str = "[[api]]";~let creds = Credentials::new("svc", "[[pw]]");~// Reported by [[person]] ([[email]])~let peer: IpAddr = "[[ip]]".parse()?;~static TOKEN: &str = "[[github]]";~let pem = r#"[[key]]"#;~let customer = Customer { name: "[[person]]".into(), phone: "[[phone]]".into() };~.header("Authorization", "Bearer [[jwt]]")~
assert!(is_iban("[[iban]]"));~assert_eq!(mac("[[mac]]").len(), 6);~let access = "[[aws]]";~// authors: [[person]], [[o_person]]~let imei = "[[imei]]";~let user = "[[user]]";~assert!(vin::check("[[vin]]"));~let hook = Slack::with_token("[[slack]]");~let url = "redis://:[[pwsafe]]@cache:6379/0";""",
             """use [[d_scope_path]];~let v = [[d_secret_code]]~let any = "[[d_local_ip]]";~// commit [[d_git_sha]]~let id = "[[d_uuid]]";~const VERSION: &str = "[[d_version]]";~#[doc = "[[d_url]]"]~let digest = "[[d_sha256]]";~assert!(!luhn("[[d_card_bad_luhn]]"));~let shape = [[d_shape]];~let all = "[[d_mac_broadcast]]";~// a [[d_eponym]] would do~let n = [[d_epoch_ms]];~assert!(!is_iban("[[d_iban_bad_sum]]"));~let p = "[[d_file_path]]";~let lot = "[[d_nhs_bad_sum]]";~let mask = "[[d_placeholder]]";"""),
    "js": ("""import fetch from "node-fetch";\n~const apiKey = '[[api]]';~const user = { firstName: "[[givenonly]]", lastName: "[[familyonly]]", email: "[[email]]" };~/** @author [[person]] */~process.env.GH = "[[github]]";~const auth = { username: "[[user]]", password: "[[pw]]" };~axios.get(u, { headers: { Authorization: `Bearer [[jwt]]` } });~
const slack = new WebClient("[[slack]]");~// ask [[person]] before you change this, [[phone]]~const s3 = new S3({ accessKeyId: "[[aws]]" });~expect(validCard("[[card]]")).toBe(true);~const home = { lat: [[lat]], lng: [[lon]] };~const profile = { birthDate: "[[dobiso]]", phoneNumber: "[[phone]]" };~const conn = "mongodb://admin:[[pwsafe]]@mongo-0:27017";~
const donate = "[[crypto]]";~const payout = { iban: "[[iban]]", holder: "[[person]]" };~const ship = { street: "[[addr]]", zip: "[[post]]" };~log.info("peer", "[[ip]]", "[[mac]]");""",
           """import x from "[[d_scoped_package]]";~[[d_decorator]]()~const css = `[[d_css]]`;~const color = "[[d_hex_colour]]";~const rel = "[[d_version]]";~// [[d_secret_code]]~const ua = "[[d_version4]]";~const rid = "[[d_uuid]]";~const at = "[[d_timestamp]]";~fetch("[[d_url]]");~const host = "[[d_local_ip]]";~expect(validCard("[[d_card_bad_luhn]]")).toBe(false);~const pw = "[[d_placeholder]]";~// lots [[d_number_range]]~const remote = "[[d_git_remote]]";~const integrity = "[[d_sha256]]";~const price = "[[d_price]]";~const sku = "[[d_part_number]]";~// [[d_caps_word]]: do not touch"""),
    "shell": ("""#!/bin/sh\nset -eu\n~curl -H "Authorization: Bearer [[jwt]]" https://api.example.net/v1/me~export AWS_ACCESS_KEY_ID=[[aws]]~git config --global user.name "[[person]]"\ngit config --global user.email [[email]]~curl -u "svc:[[pwsafe]]" https://files.example.net/x~sshpass -p '[[pw]]' ssh root@[[ip]]~npm config set token [[api]]~export GH_TOKEN=[[github]]~
mysqldump --user=backup --password='[[pw]]' shop > shop.sql~ip link set eth0 address [[mac]]~# asked by [[person]], ext. [[phone]]~cd /home/[[user]]/src~cat > id_key <<'X'\n[[key]]\nX~useradd -c "[[person]]" -m [[user]]~scp [[user]]@[[ip]]:backup.tgz .""",
              """echo "[[d_secret_code]]"~ping -c1 [[d_local_ip]]~git checkout [[d_git_sha]]~npm i [[d_scoped_package]]~tail -f [[d_file_path]]~git clone [[d_git_remote]]~read -s -p "Password: " PW~PASSWORD=[[d_placeholder]]~wget [[d_url]]~echo [[d_sha256]]~LEVEL=[[d_log_level]]~arping [[d_mac_broadcast]]~tag=[[d_version]]~# since [[d_date]]"""),
}
CODE = {k: [[x.strip("\n") for x in re.sub(r"~\n", "~", part).split("~")] for part in v] for k, v in CODE.items()}

# ---------------------------------------------------------------------------------------------------------------------
# Documents


class Page:
    """The people of one document and what a slot in a template stands for."""

    def __init__(self, loc):
        self.loc, self.lang = loc, LANG[loc]
        self.meet()

    def meet(self):
        self.me, self.other = Subject(self.loc), Subject(self.loc)

    def nat(self):
        s = self.me
        k = R.randrange(20)
        if k == 0 and s.kind in ("US_SSN", "UK_NHS", "FR_NIR", "BR_CPF"):
            return s.number(labelled=False)
        label = one(GENERIC[self.lang]) if k < 6 else one(LABELS[s.kind])
        sep = one([": ", ": ", " "]) if self.lang != "fr" else one([" : ", ": ", " "])
        return label + sep + s.number()

    def slot(self, name):
        if name.startswith("d_"):
            return decoy(name[2:], self.lang)
        s = self.me
        if name.startswith("o_"):
            s, name = self.other, name[2:]
        if name == "fill":
            return one(FILLER[self.lang])
        if name == "sent":
            return " ".join(self.fill(one(SENTENCES[self.lang])) for _ in range(R.randint(1, 2)))
        if name == "lure":
            return " ".join(self.fill(one(LURES[self.lang] if chance(0.75) else TECH)) for _ in range(R.randint(1, 4)))
        simple = {
            "person": s.name, "titled": s.titled, "lastfirst": s.last_first, "given": lambda: S("PERSON", s.given), "givenonly": lambda: S("PERSON", s.given),
            "familyonly": lambda: S("PERSON", s.cap), "email": s.email, "phone": s.phone, "place": s.place, "addr": s.address, "post": lambda: s.post_city()[0],
            "postcity": lambda: s.post_city()[2], "town": lambda: s.post_city()[1], "company": lambda: s.company, "dob": s.dob, "dobiso": lambda: s.dob(True), "nat": self.nat,
            "passport": lambda: S("PASSPORT", passport(self.loc)), "mrn": s.mrn, "card": lambda: S("CREDIT_CARD", card()), "iban": lambda: S("IBAN", iban()), "aba": lambda: S("ABA", aba()),
            "crypto": lambda: S("CRYPTO", crypto()), "ip": lambda: S("IP", ip()), "mac": lambda: S("MAC", mac()), "imei": lambda: S("IMEI", imei()), "vin": lambda: S("VIN", vin()),
            "geo": lambda: S("GEO", geo()), "lat": lambda: S("GEO", f"{R.uniform(-58, 69):.5f}"), "lon": lambda: S("GEO", f"{R.uniform(-178, 178):.5f}"),
            "geo_tuple": lambda: "(" + S("GEO", f"{R.uniform(-58, 69):.5f}, {R.uniform(-178, 178):.5f}") + ")", "user": s.user, "pw": lambda: S("PASSWORD", password()),
            "pwsafe": lambda: S("PASSWORD", password(True)), "jwt": lambda: S("JWT", jwt()), "key": lambda: S("PRIVATE_KEY", private_key()), "api": lambda: S("API_KEY", API[one(list(API))]()),
            "github": lambda: S("GITHUB_TOKEN", github()), "slack": lambda: S("SLACK_TOKEN", slack()), "aws": lambda: S("AWS_ACCESS_KEY", aws()), "npi": npi, "dea": s.dea,
            "ssn": lambda: self.as_kind("US_SSN"), "ms": lambda: str(R.randint(2, 950)), "port": lambda: str(R.randint(20000, 60999)),
        }
        return simple[name]()

    def as_kind(self, kind):
        self.me.kind = kind
        return self.me.number()

    def fill(self, template):
        return re.sub(r"\[\[([a-z_0-9]+)\]\]", lambda m: self.slot(m[1]), template)


def styled(head, style):
    parts = re.findall(r"[A-Za-z0-9]+", plain(head))
    if style == "camel":
        return parts[0].lower() + "".join(p.capitalize() for p in parts[1:])
    return (("-" if style == "kebab" else "_").join(parts)).lower()


def head_of(lang, field, kind=None):
    if field == "nat":
        return one(GENERIC[lang]) if chance(0.2) else one(LABELS[kind])
    return one(HEADS[lang][field])


PERSON_FIELDS = "email phone dob addr post place nat iban card passport mrn user ip pw vin imei mac geo".split()
OTHER_FIELDS = "amount order created note".split()


def cell(page, field):
    s = page.me
    if field == "place":
        return s.address() + ", " + s.post_city()[2]
    if field == "name":
        return s.last_first() if page.comma else s.full()
    made = {"given": lambda: S("PERSON", s.given), "family": lambda: S("PERSON", s.cap), "nat": lambda: s.number(raw=page.raw), "amount": lambda: decoy("price", page.lang),
            "order": lambda: decoy("order_number", page.lang), "created": lambda: decoy(one(["timestamp", "date"]), page.lang), "dob": lambda: s.dob(page.iso),
            "note": lambda: decoy(one([k for k in NOTES if k != "cpf_bad_sum" or page.lang == "pt"]), page.lang), "city": lambda: s.post_city()[1]}
    return made[field]() if field in made else page.slot(field)


NOTES = ["version", "placeholder", "uuid", "ticket", "org_place", "caps_word", "product", "number_range", "part_number", "cpf_bad_sum", "eponym", "percent", "big_number", "card_bad_luhn", "iban_bad_sum"]


def table(page, most=7):
    """Heads and rows with the same fields; one kind of national number in a column."""
    page.comma, page.iso, page.raw = chance(0.2), chance(0.5), chance(0.4)
    names = ["given", "family"] if chance(0.4) else ["name"]
    if chance(0.1):
        names.reverse()
    picked = R.sample(PERSON_FIELDS, R.randint(2, most - 2))
    if "nat" not in picked and chance(0.4):
        picked[-1] = "nat"
    fields = names + picked + R.sample(OTHER_FIELDS, R.randint(1, 2))
    if page.lang == "en" and page.loc == "en_US" and chance(0.15):
        fields.insert(2, "aba")
    if "post" in fields and chance(0.6):
        fields.insert(fields.index("post") + 1, "city")
    if chance(0.3):
        tail = fields[len(names):]
        R.shuffle(tail)
        fields = names + tail
    kind = page.me.kind
    heads = ["Routing number" if f == "aba" else head_of(page.lang, f, kind) for f in fields]
    rows = []
    for _ in range(R.randint(2, 6)):
        page.meet()
        page.me.kind = kind
        rows.append([cell(page, f) for f in fields])
    return fields, heads, rows


def csv_doc(page):
    fields, heads, rows = table(page)
    sep = one([",", ",", ";", "\t", "|"])
    style = one(["as", "as", "snake", "upper", "lower"])
    heads = [h if style == "as" else styled(h, "snake") if style == "snake" else h.upper() if style == "upper" else h.lower() for h in heads]
    always = chance(0.15)
    if chance(0.3):
        heads.insert(0, "id")
        rows = [[str(i + 1)] + r for i, r in enumerate(rows)]
    for r in rows:
        if chance(0.08):
            r[-1] = ""

    def quoted(c):
        return '"' + c.replace('"', '""') + '"' if always or sep in c or '"' in c else c
    return "csv", "".join(sep.join(quoted(c) for c in r) + "\n" for r in [heads] + rows)


def markdown_doc(page):
    _, heads, rows = table(page, 5)
    lines = ["## " + one(["Contacts", "Handover", "List", "Export"]), ""] + ["| " + " | ".join(r) + " |" for r in [heads, ["---"] * len(heads)] + rows]
    return "prose", "\n".join(lines) + "\n\n" + page.fill("[[fill]] [[lure]]\n")


def xml_doc(page):
    fields, heads, rows = table(page, 6)
    tags = [styled(h, one(["camel", "snake"])) for h in heads]
    esc = lambda t: t.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<records>"]
    for r in rows:
        out += ["  <record>"] + [f"    <{t}>{esc(c)}</{t}>" for t, c in zip(tags, r)] + ["  </record>"]
    return "code", "\n".join(out + ["</records>", page.fill("<!-- [[d_version]] [[d_url]] -->\n")])


def sql_doc(page):
    fields, heads, rows = table(page, 5)
    cols = ", ".join(styled(h, "snake") for h in heads)
    name = one(["customers", "members", "patients", "staff"])
    lines = ["-- " + page.fill(one(LOG_LURES))] + [f"INSERT INTO {name} ({cols}) VALUES (" + ", ".join("'" + c.replace("'", "''") + "'" for c in r) + ");" for r in rows]
    return "code", "\n".join(lines) + "\n"


def record(page, style):
    """A nested object about one person, keys in the language of the locale."""
    s, lang = page.me, page.lang
    page.comma, page.iso, page.raw = chance(0.15), chance(0.6), chance(0.5)
    key = lambda f: styled(head_of(lang, f, s.kind), style)
    who = {key("name"): cell(page, "name")} if chance(0.5) else {key("given"): cell(page, "given"), key("family"): cell(page, "family")}
    who[key("dob")] = cell(page, "dob")
    if chance(0.7):
        who[key("nat")] = cell(page, "nat")
    contact = {key("email"): [s.email(), s.email()] if chance(0.3) else s.email(), key("phone"): [s.phone()] if chance(0.2) else s.phone()}
    home = {key("addr"): s.address(), key("post"): s.post_city()[0], key("city"): s.post_city()[1]}
    doc = {"id": decoy("uuid", lang), styled(one(HEADS[lang]["customer"]), style): {**who, styled(one(HEADS[lang]["address"]), style): home, styled(one(HEADS[lang]["contact"]), style): contact}}
    for f in R.sample(["iban", "card", "passport", "mrn", "user", "ip", "pw", "vin", "imei", "mac", "jwt"], R.randint(1, 3)):
        doc["jwt" if f == "jwt" else key(f)] = page.slot(f)
    if chance(0.2):
        doc[one(["location", "position", "geo"])] = {one(["lat", "latitude"]): page.slot("lat"), one(["lng", "lon", "longitude"]): page.slot("lon")}
    doc["meta"] = {"version": decoy("version", lang), "createdAt" if style == "camel" else "created_at": decoy("timestamp", lang), one(["source", "build", "tag"]): decoy(one(["git_sha", "file_path", "url", "product", "placeholder", "number_range"]), lang)}
    if chance(0.3):
        doc["tags"] = [decoy(one(NOTES[:9]), lang) for _ in range(2)]
    return doc


def dump(doc, **how):
    text = json.dumps(doc, **how)
    for c in (SPAN, DECOY, MID, END):  # where the writer escapes what is not ASCII
        text = text.replace("\\u%04x" % ord(c), c)
    return re.sub(rf'"({SPAN}GEO{MID}[-0-9.]+{END})"', r"\1", text)


def json_doc(page):
    style, ascii_only = one(["camel", "snake"]), chance(0.05)
    how = {"ensure_ascii": ascii_only, "indent": one([None, 2, 2, 4])}
    if chance(0.35):
        return "json", dump({one(["items", "results", "data"]): [again(page, style) for _ in range(2)], "total": 2}, **how) + "\n"
    return "json", dump(record(page, style), **how) + "\n"


def again(page, style):
    page.meet()
    return record(page, style)


def jsonl_doc(page):
    style = one(["camel", "snake"])
    if chance(0.5):
        return "json", "".join(dump(again(page, style), ensure_ascii=False) + "\n" for _ in range(R.randint(2, 3)))
    out = []
    for _ in range(R.randint(3, 7)):
        page.meet()
        event = {"ts": D("timestamp", stamp().isoformat() + "Z"), "level": decoy("log_level", page.lang), "msg": page.fill(one(LOG_LINES if chance(0.6) else LOG_LURES))}
        if chance(0.4):
            event[one(["userName", "user_name", "username", "login"])] = page.slot("user")
        if chance(0.4):
            event[one(["clientIp", "remote_addr", "ip"])] = page.slot("ip")
        out.append(dump(event, ensure_ascii=False) + "\n")
    return "json", "".join(out)


def yaml_text(value, depth=0):
    pad = "  " * depth
    out = ""
    for k, v in value.items():
        if isinstance(v, dict):
            out += f"{pad}{k}:\n" + yaml_text(v, depth + 1)
        elif isinstance(v, list):
            out += f"{pad}{k}:\n" + "".join(f"{pad}  - {x}\n" for x in v)
        else:
            quote = '"' if SPAN + "PASSWORD" in v or (chance(0.3) and '"' not in v and "\\" not in v) else ""
            out += f"{pad}{k}: {quote}{v}{quote}\n"
    return out


SECRETS = [("password", "pw"), ("db_password", "pw"), ("smtp_pass", "pw"), ("aws_access_key_id", "aws"), ("github_token", "github"), ("slack_bot_token", "slack"), ("jwt", "jwt"), ("auth_token", "jwt"),
           ("wallet", "crypto"), ("bind_peer", "ip"), ("gateway", "ip"), ("mac", "mac"), ("admin_email", "email"), ("owner", "person"), ("on_call", "phone"), ("maintainer", "email"), ("username", "user")]
QUIET = [("image", "sha256"), ("version", "version"), ("listen", "local_ip"), ("netmask", "local_ip"), ("secret", "placeholder"), ("password", "placeholder"), ("level", "log_level"), ("theme_color", "hex_colour"), ("path", "file_path"), ("homepage", "url"),
         ("revision", "git_sha"), ("id", "uuid"), ("repo", "git_remote"), ("shape", "shape"), ("since", "date"), ("driver", "version4"), ("package", "scoped_package"), ("model", "product"), ("range", "number_range"), ("namespace", "scope_path")]


def yaml_doc(page):
    if chance(0.4):
        return "yaml", yaml_text(record(page, "snake"))
    out = {"service": {}, "auth": {}, "misc": {}}
    for k, v in R.sample(SECRETS, R.randint(3, 6)):
        out["auth"][k] = page.slot(v)
    if chance(0.6):
        k = one(list(API))
        out["auth"][k.lower()] = S("API_KEY", API[k]())
    for k, v in R.sample(QUIET, R.randint(3, 6)):
        out[one(["service", "misc"])][k] = decoy(v, page.lang)
    text = "# " + page.fill(one(LOG_LURES)) + "\n" + yaml_text({k: v for k, v in out.items() if v})
    if chance(0.3):
        text += "tls:\n  key: |\n    " + S("PRIVATE_KEY", private_key("    ")) + "\n"
    return "yaml", text


def env_doc(page):
    lines = []
    for k, v in R.sample(SECRETS, R.randint(3, 7)):
        value = page.slot(v)
        q = '"' if v in ("pw", "person", "phone") or chance(0.3) else ""
        lines.append(f"{k.upper()}={q}{value}{q}")
    for k in R.sample(list(API), R.randint(1, 2)):
        lines.append(f"{k}={S('API_KEY', API[k]())}")
    lines += [f"{k.upper()}={decoy(v, page.lang)}" for k, v in R.sample(QUIET, R.randint(3, 5))]
    if chance(0.5):
        lines.append(page.fill(one(["DATABASE_URL=postgres://app:[[pwsafe]]@db.internal:5432/main", "REDIS_URL=redis://:[[pwsafe]]@cache:6379/1", "AMQP_URL=amqp://worker:[[pwsafe]]@mq:5672"])))
    R.shuffle(lines)
    return "yaml", "# .env\n" + "\n".join(lines) + "\n"


def code_doc(page):
    lang = one(["python", "python", "rust", "js", "shell"])
    plant, lure = CODE[lang]
    mark = {"python": "#", "rust": "//", "js": "//", "shell": "#"}[lang]
    parts = []
    for t in R.sample(plant, min(len(plant), R.randint(2, 5))):
        if chance(0.3):
            page.meet()
        parts.append(page.fill(t))
    parts += [page.fill(t) for t in R.sample(lure, R.randint(3, 6))]
    if chance(0.5):
        parts.append(mark + " " + page.fill(one(SENTENCES[page.lang] if chance(0.6) else LURES[page.lang])).replace("\n", ", "))
    R.shuffle(parts)
    return "code", "\n\n".join(parts) + "\n"


def prefix(style):
    s = stamp(2017)
    level = one(["INFO", "WARN", "ERROR", "DEBUG"])
    mod = one(["api", "sync", "billing", "gateway", "worker", "auth"])
    return [f"{s.isoformat()}Z {level} {mod}: ", f"{s:%b %d %H:%M:%S} node{R.randint(1, 9)} {mod}[{R.randint(100, 9999)}]: ", f"[{s:%Y-%m-%d %H:%M:%S},{R.randint(0, 999):03d}] {level:<5} ({mod}) ",
            f"{level[0]}{s:%m%d %H:%M:%S}.{digits(6)} {R.randint(1, 99)} {mod}.cc:{R.randint(20, 900)}] ", f"{s:%H:%M:%S} |{level}| {mod} - "][style]


def log_doc(page):
    style = R.randrange(5)
    out = []
    for _ in range(R.randint(4, 10)):
        if chance(0.5):
            page.meet()
        out.append(prefix(style) + page.fill(one(LOG_LINES if chance(0.52) else LOG_LURES)).replace("\n", "\\n"))
    return "log", "\n".join(out) + "\n"


def kv_doc(page):
    out = []
    keys = [("user", "user"), ("login", "user"), ("ip", "ip"), ("src", "ip"), ("remote_addr", "ip"), ("mac", "mac"), ("email", "email"), ("to", "email"), ("msisdn", "phone"), ("phone", "phone"), ("name", "person"), ("customer", "lastfirst"), ("dob", "dobiso"),
            ("birth_date", "dobiso"), ("card", "card"), ("iban", "iban"), ("vin", "vin"), ("imei", "imei"), ("token", "jwt"), ("mrn", "mrn"), ("passport", "passport"), ("wallet", "crypto"), ("zip", "post"), ("address", "addr"), ("latlon", "geo"), ("password", "pw"), ("access_key", "aws")]
    quiet = [("req", "uuid"), ("rev", "git_sha"), ("ver", "version4"), ("build", "version"), ("order", "order_number"), ("bind", "local_ip"), ("amount", "price"), ("digest", "sha256"), ("dst", "mac_broadcast"), ("secret", "placeholder"), ("loss", "float_pair"), ("ticket", "ticket"), ("path", "file_path"), ("model", "product")]
    for _ in range(R.randint(3, 7)):
        page.meet()
        pairs = [(k, page.slot(v)) for k, v in R.sample(keys, R.randint(1, 4))] + [(k, decoy(v, page.lang)) for k, v in R.sample(quiet, R.randint(0, 2))]
        R.shuffle(pairs)
        out.append(f"ts={stamp(2017).isoformat()}Z level={one(['info', 'warn', 'error'])} " + " ".join(f'{k}="{v}"' if " " in v or "," in v or '"' in v else f"{k}={v}" for k, v in pairs).replace("\n", " "))
    return "log", "\n".join(out) + "\n"


def access_doc(page):
    out = []
    for _ in range(R.randint(3, 8)):
        page.meet()
        who = page.slot("user") if chance(0.3) else "-"
        path = one(["/index.html", "/static/app.css?v=3.2.1", "/api/v2/items?page=4", "/img/hero.webp", page.fill("/search?email=[[email]]"), page.fill("/login?user=[[user]]&next=/"), page.fill("/cb?token=[[jwt]]"), page.fill("/v1/orders/[[d_uuid]]")])
        out.append(f'{page.slot("ip")} - {who} [{stamp(2017):%d/%b/%Y:%H:%M:%S} +0000] "{one(["GET", "POST"])} {path} HTTP/1.1" {one([200, 302, 404])} {R.randint(90, 99999)} "{page.fill("[[d_url]]") if chance(0.4) else "-"}"')
    return "log", "\n".join(out) + "\n"


def notes_doc(page):
    parts = []
    for _ in range(R.randint(4, 9)):
        k = R.random()
        page.meet()
        parts.append(page.fill(one(SENTENCES[page.lang]) if k < 0.42 else one(FILLER[page.lang]) if k < 0.55 else one(LURES[page.lang] if chance(0.7) else TECH)))
    return "prose", one([" ", " ", "\n", "\n\n", "\n- "]).join(parts) + "\n"


def quiet_doc(page):
    """Nothing to find: only decoys."""
    n = R.randint(4, 9)
    if chance(0.5):
        return "prose", " ".join(page.fill(one(TECH + LURES[page.lang])) for _ in range(n)) + "\n"
    lang = one(list(CODE))
    return "code", "\n".join(page.fill(t) for t in R.sample(CODE[lang][1], n)) + "\n"


def chat_doc(page):
    people = [Subject(page.loc) for _ in range(2)]
    by_user = chance(0.35)
    full = chance(0.35)
    tags = [(s.user() if by_user else s.full() if full else S("PERSON", s.given)) for s in people]
    out = []
    t = stamp(2019)
    for i in range(R.randint(4, 9)):
        t += datetime.timedelta(minutes=R.randint(0, 5))
        body = page.fill(one(SENTENCES[page.lang] if chance(0.5) else FILLER[page.lang] if chance(0.4) else LURES[page.lang])).replace("\n", ", ")
        page.meet()
        who = tags[i % 2]
        out.append(f"[{t:%H:%M}] <{who}> {body}" if by_user else f"{t:%H:%M} {who}: {body}")
    return "prose", "\n".join(out) + "\n"


def letter_doc(page):
    return "prose", page.fill(one(LETTERS[page.lang])) + "\n"


def medical_doc(page):
    if page.loc == "en_US" and chance(0.75):
        return "prose", page.fill(one(MEDICAL_US)) + "\n"
    return "prose", page.fill(one(MEDICAL[page.lang])) + "\n"


def ticket_doc(page):
    return "prose", page.fill(TICKETS[page.lang]) + "\n"


def mail_doc(page):
    return "prose", page.fill(MAIL) + "\n"


FORMS = [(notes_doc, 12), (letter_doc, 8), (mail_doc, 6), (medical_doc, 8), (ticket_doc, 5), (chat_doc, 6), (log_doc, 9), (kv_doc, 5), (access_doc, 2), (yaml_doc, 6), (env_doc, 5),
         (code_doc, 13), (csv_doc, 11), (json_doc, 6), (jsonl_doc, 4), (markdown_doc, 3), (xml_doc, 3), (sql_doc, 3), (quiet_doc, 4)]


def finish(number, loc, form, text):
    out, spans, decoys, start, kind = [], [], [], None, None
    size = 0
    for part in re.split(f"([{SPAN}{DECOY}][a-zA-Z_0-9]+{MID}|{END})", text):
        if part[:1] in (SPAN, DECOY) and part:
            assert start is None, ("nested", text)
            start, kind = size, part
        elif part == END:
            where = {"start": start, "end": size}
            (spans if kind[0] == SPAN else decoys).append({**where, "type" if kind[0] == SPAN else "kind": kind[1:-1]})
            start = None
        else:
            out.append(part)
            size += len(part.encode())
    return {"id": number, "locale": loc, "format": form, "text": "".join(out), "spans": spans, "decoys": decoys}


def generate(seed, documents):
    R.seed(seed)
    makers = [f for f, w in FORMS for _ in range(w)]
    for number in range(documents):
        loc = one(LOCALES + ["en_US", "en_US", "en_GB", "en_IN", "es_ES"])
        make = medical_doc if loc == "en_US" and chance(0.25) else one(makers)
        form, text = make(Page(loc))
        yield finish(number, loc, form, text)


# ---------------------------------------------------------------------------------------------------------------------
# The check

bare = lambda t: re.sub(r"[\s./-]", "", t)
PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*-----END \1-----", re.S)
TESTS = {
    "US_SSN": lambda t: re.fullmatch(r"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}", bare(t)), "US_ITIN": lambda t: re.fullmatch(r"9\d\d(5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])\d{4}", bare(t)),
    "CA_SIN": lambda t: len(bare(t)) == 9 and luhn_ok(bare(t)), "UK_NHS": lambda t: nhs_ok(bare(t)), "UK_NINO": lambda t: re.fullmatch(r"[A-Z]{2}\d{6}[A-D]", bare(t)), "AU_TFN": lambda t: tfn_ok(bare(t)),
    "IN_AADHAAR": lambda t: len(bare(t)) == 12 and verhoeff_ok(bare(t)), "IN_PAN": lambda t: re.fullmatch(r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", t), "DE_TAX_ID": lambda t: tax_de_ok(bare(t)), "FR_NIR": lambda t: nir_ok(bare(t)),
    "ES_NIF": lambda t: nif_ok(bare(t)), "ES_NIE": lambda t: nie_ok(bare(t)), "IT_FISCAL_CODE": lambda t: fiscal_ok(bare(t)), "NL_BSN": lambda t: bsn_ok(bare(t)), "PL_PESEL": lambda t: pesel_ok(bare(t)), "BR_CPF": lambda t: cpf_ok(bare(t)),
    "US_NPI": npi_ok, "DEA": dea_ok, "CREDIT_CARD": lambda t: luhn_ok(bare(t)) and len(bare(t)) in (14, 15, 16), "IBAN": lambda t: iban_ok(bare(t)), "ABA": aba_ok,
    "CRYPTO": lambda t: bech32_ok(t) if t.startswith("bc1") else b58_ok(t), "IMEI": lambda t: len(bare(t)) == 15 and luhn_ok(bare(t)), "VIN": lambda t: len(t) == 17 and vin_digit(t) == t[8],
    "IP": lambda t: __import__("ipaddress").ip_address(t), "MAC": lambda t: re.fullmatch(r"[0-9a-fA-F]{12}", re.sub("[:.-]", "", t)), "EMAIL": lambda t: re.fullmatch(r"[a-z0-9._+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]+", t),
    "PRIVATE_KEY": lambda t: PEM.fullmatch(t), "JWT": lambda t: t.count(".") == 2 and json.loads(base64.urlsafe_b64decode(t.split(".")[1] + "===")),
    "GITHUB_TOKEN": lambda t: t.startswith("github_pat_") or token62_ok(t[4:]), "API_KEY": lambda t: not t.startswith("npm_") or token62_ok(t[4:]),
    "AWS_ACCESS_KEY": lambda t: re.fullmatch(r"(AKIA|ASIA)[A-Z2-7]{16}", t), "SLACK_TOKEN": lambda t: re.fullmatch(r"xox[bp]-[\w-]+|xapp-1-[\w-]+", t),
}
token62_ok = lambda t: token62(t[:30]) == t
BAD = {"card_bad_luhn": lambda t: not luhn_ok(bare(t)), "iban_bad_sum": lambda t: not iban_ok(bare(t)), "nhs_bad_sum": lambda t: not nhs_ok(bare(t)) and not npi_ok(bare(t)), "cpf_bad_sum": lambda t: not cpf_ok(bare(t)),
       "ssn_invalid_area": lambda t: re.match(r"000|666|\d{3}-00", t)}
LEAKS = [("slot", re.compile(r"\[\[\w+\]\]")), ("e-mail", re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")), ("long number", re.compile(r"(?!20[12]\d-\d\d-\d\d)(?<![\d-])\d(?:[ -]?\d){8,}")), ("IPv4", re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")), ("key", re.compile(r"-----BEGIN|\bghp_|\bAKIA|\bxox|\beyJ"))]


def check(path):
    types, kinds, forms, wrong, leaks = (collections.Counter() for _ in range(5))
    locale_words = {loc: {w for n in MEN[loc] + WOMEN[loc] + FAMILY[loc] for w in re.findall(r"\w+", n) if len(w) > 3 and w[0].isupper()} for loc in LOCALES}
    for line in open(path, encoding="utf-8"):
        doc = json.loads(line)
        raw = doc["text"].encode()
        forms[doc["locale"], doc["format"]] += 1
        at, rest = 0, b""
        marks = sorted(doc["spans"] + doc["decoys"], key=lambda m: m["start"])
        for m in marks:
            label = m.get("type") or m["kind"]
            try:
                value = raw[m["start"]:m["end"]].decode()
                ok = at <= m["start"] < m["end"] <= len(raw) and value == value.strip()
                raw[:m["start"]].decode()
                ok = ok and bool((TESTS if "type" in m else BAD).get(label, bool)(value))
            except (ValueError, KeyError, IndexError) as error:
                value, ok = repr(error), False
            if not ok:
                wrong[label] += 1
                print("wrong:", doc["id"], label, value, file=sys.stderr)
            (types if "type" in m else kinds)[label] += 1
            rest += raw[at:m["start"]] + b" \0 "
            at = m["end"]
        rest = (rest + raw[at:]).decode()
        for name, pattern in LEAKS:
            for hit in pattern.findall(rest):
                leaks[name, hit] += 1
        for word in re.findall(r"\w+", rest):
            if word in locale_words[doc["locale"]]:
                leaks["name", word] += 1
    print(f"{sum(forms.values())} documents, {sum(types.values())} spans of {len(types)} types, {sum(kinds.values())} decoys of {len(kinds)} kinds")
    for title, counter in (("spans", types), ("decoys", kinds), ("wrong", wrong), ("left unmarked", leaks)):
        print(f"{title}: " + (", ".join(f"{k if isinstance(k, str) else ' '.join(k)} {n}" for k, n in counter.most_common()) or "none"))
    by = collections.Counter()
    for (loc, form), n in forms.items():
        by[loc] += n
        by[form] += n
    print("documents: " + ", ".join(f"{k} {n}" for k, n in sorted(by.items())))
    return 1 if wrong or leaks else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--check", metavar="FILE")
    args = parser.parse_args()
    if args.check:
        return check(args.check)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for doc in generate(args.seed, args.documents):
        print(json.dumps(doc, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
